//! The imports between source files: no new cycles.
//!
//! An import is a `use` or a path in code, from one file of a crate to another. The declaration of a child module is no
//! import, and code that is compiled only for unit tests is ignored.

mod emitting;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    str::FromStr,
};

use petgraph::{algo::tarjan_scc, graphmap::DiGraphMap};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The text of the files of a crate, by their paths below `src/`.
type Sources = BTreeMap<String, String>;

/// The path of a module from the root of its crate.
type Module = Vec<String>;

/// A path as it is written in the source.
type Written = Vec<String>;

/// The files of one module tree.
struct Crate {
    files: BTreeMap<Module, String>,
}

impl Crate {
    fn of(sources: &Sources) -> Self {
        let files = sources.keys().filter_map(|file| {
            let mut module: Module = file
                .strip_suffix(".rs")?
                .split('/')
                .map(str::to_owned)
                .collect();
            match module.last().map(String::as_str) {
                // A program is a separate crate, which no file imports.
                Some("main") => return None,
                Some("mod" | "lib") => drop(module.pop()),
                _ => {}
            }
            Some((module, file.clone()))
        });
        Self {
            files: files.collect(),
        }
    }

    /// The file of the innermost module that a path from the root names.
    fn file(&self, path: &[String]) -> &str {
        (0..=path.len())
            .rev()
            .find_map(|length| self.files.get(&path[..length]))
            .map_or("", String::as_str)
    }

    /// The path from the root that a written path stands for, or `None` if it leads out of this crate.
    fn resolve(
        &self,
        written: &[String],
        module: &[String],
        names: &BTreeMap<String, Module>,
    ) -> Option<Module> {
        let (first, rest) = written.split_first()?;
        let mut base = match first.as_str() {
            "crate" => Module::new(),
            "self" => module.to_vec(),
            "super" => {
                let above = module.split_last().map(|(_, above)| above.to_vec())?;
                if rest.first().is_some_and(|next| next == "super") {
                    return self.resolve(rest, &above, names);
                }
                above
            }
            name => {
                let child: Module = module.iter().cloned().chain([name.to_owned()]).collect();
                if self.files.contains_key(&child) {
                    child
                } else {
                    names.get(name)?.clone()
                }
            }
        };
        base.extend(rest.iter().cloned());
        Some(base)
    }
}

/// The paths that a sequence of tokens names, and those that its `use` declarations bring into scope.
#[derive(Default)]
struct Paths {
    used: Vec<(Module, Written)>,
    named: Vec<(Module, Written)>,
}

impl Paths {
    fn read(&mut self, tokens: TokenStream, module: &[String]) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            if is_for_tests(&tokens[at..]) {
                at = end_of_item(&tokens, at + 2);
                continue;
            }
            match &tokens[at] {
                TokenTree::Ident(word) if *word == "use" => {
                    let end = (at..tokens.len())
                        .find(|&at| is_punctuation(&tokens[at], ';'))
                        .unwrap_or(tokens.len());
                    let mut paths = Vec::new();
                    expand(&tokens[at + 1..end], &mut Written::new(), &mut paths);
                    let paths = paths.into_iter().map(|path| (module.to_vec(), path));
                    self.used.extend(paths);
                    at = end + 1;
                }
                TokenTree::Ident(word) if *word == "mod" => {
                    // A module with a body in this file; a declaration has no body.
                    if let (Some(TokenTree::Ident(name)), Some(TokenTree::Group(body))) =
                        (tokens.get(at + 1), tokens.get(at + 2))
                    {
                        let inner: Module =
                            module.iter().cloned().chain([name.to_string()]).collect();
                        self.read(body.stream(), &inner);
                        at += 3;
                    } else {
                        at += 2;
                    }
                }
                TokenTree::Ident(_) => {
                    let (path, end) = path_at(&tokens, at);
                    if path.len() > 1 {
                        self.named.push((module.to_vec(), path));
                    }
                    at = end;
                }
                TokenTree::Group(group) => {
                    self.read(group.stream(), module);
                    at += 1;
                }
                _ => at += 1,
            }
        }
    }
}

fn is_punctuation(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(found) if found.as_char() == character)
}

/// Whether the tokens begin with an item that is compiled only for unit tests.
fn is_for_tests(tokens: &[TokenTree]) -> bool {
    let [hash, TokenTree::Group(attribute), ..] = tokens else {
        return false;
    };
    is_punctuation(hash, '#') && attribute.stream().to_string().replace(' ', "") == "cfg(test)"
}

/// The index after the item at `at`, which ends with a semicolon or a block.
fn end_of_item(tokens: &[TokenTree], at: usize) -> usize {
    let ends = |token: &TokenTree| {
        is_punctuation(token, ';')
            || matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
    };
    (at..tokens.len())
        .find(|&at| ends(&tokens[at]))
        .map_or(tokens.len(), |end| end + 1)
}

fn is_path_separator(tokens: &[TokenTree], at: usize) -> bool {
    tokens
        .get(at..at + 2)
        .is_some_and(|pair| pair.iter().all(|token| is_punctuation(token, ':')))
}

/// The path that begins with the name at `at`, and the index after it.
fn path_at(tokens: &[TokenTree], mut at: usize) -> (Written, usize) {
    let mut path = Written::new();
    while let Some(TokenTree::Ident(name)) = tokens.get(at) {
        path.push(name.to_string());
        at += 1;
        if !is_path_separator(tokens, at) {
            break;
        }
        at += 2;
    }
    (path, at)
}

/// The paths of a `use` declaration, each in full.
fn expand(tree: &[TokenTree], prefix: &mut Written, paths: &mut Vec<Written>) {
    for branch in tree.split(|token| is_punctuation(token, ',')) {
        let (names, at) = path_at(branch, 0);
        let length = prefix.len();
        prefix.extend(names);
        match branch.get(at) {
            Some(TokenTree::Group(group)) => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                expand(&inner, prefix, paths);
            }
            _ if prefix.len() > length => paths.push(prefix.clone()),
            _ => {}
        }
        prefix.truncate(length);
    }
}

/// The imports between the files of a crate.
fn imports(sources: &Sources) -> BTreeSet<(String, String)> {
    let tree = Crate::of(sources);
    let mut imports = BTreeSet::new();
    for (module, file) in &tree.files {
        let tokens = TokenStream::from_str(&sources[file])
            .unwrap_or_else(|error| panic!("{file} is not valid Rust: {error}"));
        let mut paths = Paths::default();
        paths.read(tokens, module);
        let none = BTreeMap::new();
        let mut modules = BTreeMap::new();
        for (from, written) in &paths.used {
            if let Some(path) = tree.resolve(written, from, &none)
                && tree.files.contains_key(&path)
                && let Some(name) = path.last()
            {
                modules.insert(name.clone(), path.clone());
            }
        }
        let in_use = paths.used.iter().map(|(from, path)| (from, path, &none));
        let in_code = paths
            .named
            .iter()
            .map(|(from, path)| (from, path, &modules));
        for (from, written, names) in in_use.chain(in_code) {
            if let Some(path) = tree.resolve(written, from, names) {
                let to = tree.file(&path);
                if to != file && !to.is_empty() {
                    imports.insert((file.clone(), to.to_owned()));
                }
            }
        }
    }
    imports
}

/// The sets of files that import each other, directly or through other files.
fn cycles(sources: &Sources) -> BTreeSet<BTreeSet<String>> {
    let imports = imports(sources);
    let edges = imports
        .iter()
        .map(|(from, to)| (from.as_str(), to.as_str()));
    let graph: DiGraphMap<&str, ()> = DiGraphMap::from_edges(edges);
    tarjan_scc(&graph)
        .into_iter()
        .filter(|files| files.len() > 1)
        .map(|files| files.into_iter().map(str::to_owned).collect())
        .collect()
}

/// The Rust files below a folder.
fn sources(folder: &Path) -> Sources {
    rust(emitting::tree(folder))
}

fn rust(tree: emitting::Tree) -> Sources {
    tree.into_iter()
        .filter(|(file, _)| Path::new(file).extension().is_some_and(|it| it == "rs"))
        .map(|(file, bytes)| (file, String::from_utf8(bytes).unwrap()))
        .collect()
}

/// Asserts that a crate has no import cycle.
fn assert_no_cycle(sources: &Sources) {
    let found = cycles(sources);
    let imports = imports(sources);
    let between: Vec<_> = imports
        .iter()
        .filter(|(from, to)| found.iter().any(|it| it.contains(from) && it.contains(to)))
        .map(|(from, to)| format!("{from} imports {to}"))
        .collect();
    assert!(found.is_empty(), "{found:?}\n{}", between.join("\n"));
}

#[test]
fn the_xtask_program_has_no_import_cycle() {
    assert_no_cycle(&sources(&xtask::repository().join("ci/src")));
}

#[test]
fn the_bench_has_no_import_cycle() {
    let bench = xtask::repository().join("template/testbench/bench/src");
    assert_no_cycle(&sources(&bench));
}

#[test]
fn an_emitted_project_has_no_import_cycle() {
    let project = xtask::repository().join("ci/snapshot/src");
    assert_no_cycle(&sources(&project));
    let default = rust(emitting::rendered(&[]))
        .into_iter()
        .filter_map(|(file, text)| Some((file.strip_prefix("src/")?.to_owned(), text)))
        .collect();
    assert_no_cycle(&default);
}

#[test]
fn every_form_of_import_is_recognized() {
    let of = |a: &str| {
        let sources = [
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", a),
            ("b.rs", "mod c; use crate::a::Thing;"),
            ("b/c.rs", "pub fn f() {}"),
        ];
        let sources: Sources = sources
            .map(|(file, text)| (file.to_owned(), text.to_owned()))
            .into();
        cycles(&sources)
    };
    let found: BTreeSet<BTreeSet<String>> =
        BTreeSet::from([BTreeSet::from(["a.rs".to_owned(), "b.rs".to_owned()])]);
    for cycle in [
        "use crate::b::Other;",
        "use crate::{x, b::{Other as Name}};",
        "use super::b;",
        "fn f() { crate::b::g() }",
        "fn f() { x!(crate::b::g) }",
        "macro_rules! m { () => { $crate::b::g() } }",
        "mod inner { use super::super::b::Other; }",
        "fn f(_: super::b::Other) {}",
    ] {
        assert_eq!(of(cycle), found, "{cycle}");
    }
    for none in [
        "mod b;",
        "/// See crate::b::Other.\nfn f() {}",
        "fn f() { \"crate::b::g\" }",
        "#[cfg(test)] mod tests { use crate::b::Other; }",
        "#[cfg(test)] use crate::b::Other;",
        "use crate::b::c::f;",
        "use crate::b::c; fn g() { c::f() }",
    ] {
        assert_eq!(of(none), BTreeSet::new(), "{none}");
    }
}
