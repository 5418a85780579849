//! Runs the hooks on files in memory.

use std::{
    cell::RefCell,
    fs,
    path::{Path, PathBuf},
    rc::Rc,
};

use anyhow::Context;
use liquid::model::{Value, ValueView};
use rhai::{
    AST, Array, Dynamic, Engine, EvalAltResult, Map, Module, module_resolvers::FileModuleResolver,
};

use super::{
    state::{self, Failure, State},
    strict::CASES,
};
use crate::commands::new::generator;

type Result<T> = std::result::Result<T, Box<EvalAltResult>>;

/// The compiled scripts.
pub struct Hooks {
    engine: RefCell<Engine>,
    template: PathBuf,
    /// The `init`, `pre` and `post` scripts.
    scripts: [Vec<(String, AST)>; 3],
    /// The state of the current rendering.
    state: Rc<RefCell<Rc<RefCell<State>>>>,
}

/// The `init`, `pre` or `post` scripts.
pub struct Moment<'a> {
    hooks: &'a Hooks,
    scripts: &'a [(String, AST)],
}

impl Hooks {
    pub fn read(template: &Path, names: [Vec<String>; 3]) -> anyhow::Result<Self> {
        let state = Rc::default();
        let engine = engine(template, &state);
        let compile = |name: String| {
            let path = template.join(&name);
            let text = fs::read_to_string(&path)
                .with_context(|| format!("{} cannot be read", path.display()))?;
            let script = engine
                .compile(text)
                .with_context(|| format!("{} is not a valid script", path.display()))?;
            anyhow::Ok((name, script))
        };
        let [init, pre, post] = names;
        let all = |names: Vec<String>| names.into_iter().map(compile).collect();
        let scripts = [all(init), all(pre), all(post)];
        let [init, pre, post]: [anyhow::Result<Vec<_>>; 3] = scripts;
        Ok(Self {
            scripts: [init?, pre?, post?],
            engine: RefCell::new(engine),
            template: template.to_path_buf(),
            state,
        })
    }

    /// The `init`, `pre` and `post` scripts, set up to work on `state`.
    pub fn on(&self, state: &Rc<RefCell<State>>) -> [Moment<'_>; 3] {
        self.state.replace(Rc::clone(state));
        [0, 1, 2].map(|moment| Moment {
            hooks: self,
            scripts: &self.scripts[moment],
        })
    }
}

impl Moment<'_> {
    /// Runs the scripts, with `destination` as the folder of the project.
    pub fn run(&self, destination: &Path) -> std::result::Result<(), Failure> {
        let mut env = Module::new();
        let shown = |path: &Path| path.to_string_lossy().into_owned();
        env.set_var("working_directory", shown(&self.hooks.template));
        env.set_var("destination_directory", shown(destination));
        let mut engine = self.hooks.engine.borrow_mut();
        engine.register_static_module("env", env.into());
        for (name, script) in self.scripts {
            let Err(error) = engine.run_ast(script) else {
                continue;
            };
            let fault = self.hooks.state.borrow().borrow_mut().fault.take();
            let said = error.to_string();
            let thrown = matches!(*error, EvalAltResult::ErrorRuntime(..));
            return Err(match (fault, generator::refusal(&said)) {
                (None, Some(sentence)) if thrown => Failure::Refused(sentence),
                _ => Failure::Template(format!("{name}: {said}")),
            });
        }
        Ok(())
    }
}

/// The state that the functions of the modules share.
#[derive(Clone)]
struct Shared(Rc<RefCell<Rc<RefCell<State>>>>);

impl Shared {
    fn with<T>(
        &self,
        work: impl FnOnce(&mut State) -> std::result::Result<T, String>,
    ) -> Result<T> {
        let state = Rc::clone(&self.0.borrow());
        let mut state = state.borrow_mut();
        work(&mut state).map_err(|fault| {
            // Recorded, because the error of a function looks like a refusal that a script throws.
            state.fault = Some(fault.clone());
            fault.into()
        })
    }
}

fn engine(template: &Path, state: &Rc<RefCell<Rc<RefCell<State>>>>) -> Engine {
    let shared = Shared(Rc::clone(state));
    let mut engine = Engine::new();
    engine
        .set_module_resolver(FileModuleResolver::new_with_path(template))
        .register_static_module("variable", variables(&shared).into())
        .register_static_module("file", files(&shared, template).into())
        .register_static_module("system", system().into());
    for (name, change) in CASES {
        engine.register_fn(format!("to_{name}"), move |text: &str| change(text));
    }
    engine.on_print(move |line| {
        let state = Rc::clone(&shared.0.borrow());
        state.borrow_mut().notes.push(line.to_owned());
    });
    engine
}

fn variables(shared: &Shared) -> Module {
    let mut module = Module::new();
    let state = shared.clone();
    module.set_native_fn("is_set", move |name: &str| {
        state.with(|state| Ok(state.globals.contains_key(name)))
    });
    let state = shared.clone();
    module.set_native_fn("get", move |name: &str| {
        state.with(|state| {
            state.used.insert(name.to_owned());
            // cargo-generate returns an empty string for a name that does not exist.
            let value = state.globals.get(name);
            dynamic(value.ok_or_else(|| format!("nothing sets {name}"))?)
        })
    });
    let state = shared.clone();
    module.set_native_fn("set", move |name: &str, value: &str| {
        state.with(|state| set(state, name, state::text(value)))
    });
    let state = shared.clone();
    module.set_native_fn("set", move |name: &str, value: bool| {
        state.with(|state| set(state, name, state::truth(value)))
    });
    let state = shared.clone();
    module.set_native_fn("set", move |name: &str, value: Array| {
        state.with(|state| set(state, name, Value::Array(liquid(value)?)))
    });
    module
}

/// Sets a variable. A variable cannot change its type.
fn set(state: &mut State, name: &str, value: Value) -> std::result::Result<(), String> {
    let kind = |value: &Value| match value {
        Value::Array(_) => "array",
        Value::Scalar(scalar) if scalar.to_bool().is_some() => "bool",
        _ => "string",
    };
    if let Some(old) = state.globals.get(name)
        && kind(old) != kind(&value)
    {
        return Err(format!("{name} has the type {}", kind(old)));
    }
    state.set.insert(name.to_owned());
    state.globals.insert(name.to_owned().into(), value);
    Ok(())
}

fn dynamic(value: &Value) -> std::result::Result<Dynamic, String> {
    match value {
        Value::Scalar(scalar) => Ok(scalar.to_bool().map_or_else(
            || Dynamic::from(scalar.to_kstr().to_string()),
            Dynamic::from,
        )),
        Value::Array(items) => Ok(Dynamic::from_array(
            items
                .iter()
                .map(dynamic)
                .collect::<std::result::Result<_, _>>()?,
        )),
        other => Err(format!("a hook cannot get the value {}", other.source())),
    }
}

fn liquid(items: Array) -> std::result::Result<Vec<Value>, String> {
    items
        .into_iter()
        .map(|item| {
            if let Ok(truth) = item.as_bool() {
                return Ok(state::truth(truth));
            }
            let kind = item.type_name();
            let text = item
                .into_string()
                .map_err(|_| format!("an item is a {kind}, neither a string nor a bool"))?;
            Ok(state::text(&text))
        })
        .collect()
}

/// The module `file`, which changes the files in memory.
fn files(shared: &Shared, template: &Path) -> Module {
    let mut module = Module::new();
    let state = shared.clone();
    module.set_native_fn("rename", move |from: &str, to: &str| {
        state.with(|state| {
            let moved: Vec<(String, String)> = state
                .files
                .keys()
                .filter_map(|path| Some((path.clone(), format!("{to}{}", below(path, from)?))))
                .collect();
            if moved.is_empty() {
                return Err(format!("{from} cannot be renamed: it does not exist"));
            }
            for (old, new) in moved {
                if let Some(source) = state.files.remove(&old) {
                    state.files.insert(new, source);
                }
            }
            Ok(())
        })
    });
    let state = shared.clone();
    module.set_native_fn("delete", move |path: &str| {
        state.with(|state| {
            // As in cargo-generate, it is not an error if the file does not exist.
            state.files.retain(|file, _| below(file, path).is_none());
            Ok(())
        })
    });
    let state = shared.clone();
    let root = template.to_path_buf();
    module.set_native_fn("listdir", move |folder: &str| {
        state.with(|state| {
            let mut names: Vec<&str> = state
                .files
                .keys()
                .filter_map(|path| below(path, folder)?.strip_prefix('/')?.split('/').next())
                .collect();
            names.dedup();
            if names.is_empty() {
                return Err(format!("{folder} cannot be listed: it does not exist"));
            }
            let path = |name: &str| root.join(folder).join(name).to_string_lossy().into_owned();
            Ok(names
                .into_iter()
                .map(path)
                .map(Dynamic::from)
                .collect::<Array>())
        })
    });
    module
}

/// The part of a path after `folder`; `None` if the path is neither `folder` nor below it.
fn below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    path.strip_prefix(folder)
        .filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn system() -> Module {
    let mut module = Module::new();
    module.set_native_fn("date", || -> Result<Map> {
        let today = time::OffsetDateTime::now_utc();
        let parts = [
            ("year", i64::from(today.year())),
            ("month", i64::from(u8::from(today.month()))),
            ("day", i64::from(today.day())),
        ];
        Ok(parts
            .into_iter()
            .map(|(name, number)| (name.into(), Dynamic::from_int(number)))
            .collect())
    });
    module
}
