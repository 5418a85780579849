//! Liquid with cargo-generate's filters, and variables that record which of them are read.

use std::{cell::RefCell, collections::BTreeSet, fmt};

use anyhow::bail;
use heck::{
    ToKebabCase, ToLowerCamelCase, ToPascalCase, ToShoutyKebabCase, ToShoutySnakeCase, ToSnakeCase,
    ToTitleCase, ToUpperCamelCase,
};
use liquid::{
    Object, ObjectView, ValueView,
    model::{DisplayCow, KStringCow, State, Value},
};
use liquid_core::{
    Error, Filter, FilterReflection, ParseFilter, Result, Runtime,
    parser::{FilterArguments, ParameterReflection},
};

/// Changes the case of a text.
pub type Change = fn(&str) -> String;

/// The case conversions that cargo-generate adds: to Liquid as filters, to Rhai as functions with the prefix `to_`.
pub const CASES: [(&str, Change); 8] = [
    ("kebab_case", |text| text.to_kebab_case()),
    ("lower_camel_case", |text| text.to_lower_camel_case()),
    ("pascal_case", |text| text.to_pascal_case()),
    ("shouty_kebab_case", |text| text.to_shouty_kebab_case()),
    ("shouty_snake_case", |text| text.to_shouty_snake_case()),
    ("snake_case", |text| text.to_snake_case()),
    ("title_case", |text| text.to_title_case()),
    ("upper_camel_case", |text| text.to_upper_camel_case()),
];

/// A parser with cargo-generate's filters, except the one that runs a script.
///
/// # Errors
///
/// The library refuses a filter.
pub fn parser() -> anyhow::Result<liquid::Parser> {
    let mut builder = liquid::ParserBuilder::with_stdlib();
    for (name, change) in CASES {
        builder = builder.filter(Case { name, change });
    }
    Ok(builder.build()?)
}

#[derive(Clone, Debug)]
struct Case {
    name: &'static str,
    change: Change,
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}

impl Filter for Case {
    fn evaluate(&self, input: &dyn ValueView, _runtime: &dyn Runtime) -> Result<Value> {
        let input = input
            .as_scalar()
            .ok_or_else(|| Error::with_msg("String expected"))?;
        Ok(Value::scalar((self.change)(&input.into_string())))
    }
}

impl FilterReflection for Case {
    fn name(&self) -> &str {
        self.name
    }

    fn description(&self) -> &'static str {
        "changes the case of a text"
    }

    fn positional_parameters(&self) -> &'static [ParameterReflection] {
        &[]
    }

    fn keyword_parameters(&self) -> &'static [ParameterReflection] {
        &[]
    }
}

impl ParseFilter for Case {
    fn parse(&self, mut arguments: FilterArguments) -> Result<Box<dyn Filter>> {
        if arguments.positional.next().is_some() || arguments.keyword.next().is_some() {
            return Err(Error::with_msg(format!("{} takes no argument", self.name)));
        }
        Ok(Box::new(self.clone()))
    }

    fn reflection(&self) -> &dyn FilterReflection {
        self
    }
}

/// The variables of the templates. Liquid calls `contains_key` before it reads a value, in outputs and in tags.
#[derive(Debug)]
pub struct Globals {
    values: Object,
    asked: RefCell<BTreeSet<String>>,
    missing: RefCell<BTreeSet<String>>,
}

impl Globals {
    pub fn new(values: Object) -> Self {
        Self {
            values,
            asked: RefCell::default(),
            missing: RefCell::default(),
        }
    }

    /// Renders a template. A variable that is not set is an error.
    pub fn render(&self, template: &liquid::Template) -> anyhow::Result<String> {
        let rendered = template.render(self);
        let missing = self.missing.take();
        if !missing.is_empty() {
            let missing: Vec<_> = missing.into_iter().collect();
            bail!("nothing sets {}", missing.join(", "));
        }
        Ok(rendered?)
    }

    /// The variables that were read since the last call.
    pub fn used(&self) -> BTreeSet<String> {
        self.asked.take()
    }
}

impl ValueView for Globals {
    fn as_debug(&self) -> &dyn fmt::Debug {
        self
    }

    fn render(&self) -> DisplayCow<'_> {
        self.values.render()
    }

    fn source(&self) -> DisplayCow<'_> {
        self.values.source()
    }

    fn type_name(&self) -> &'static str {
        self.values.type_name()
    }

    fn query_state(&self, state: State) -> bool {
        self.values.query_state(state)
    }

    fn to_kstr(&self) -> KStringCow<'_> {
        self.values.to_kstr()
    }

    fn to_value(&self) -> Value {
        self.values.to_value()
    }

    fn as_object(&self) -> Option<&dyn ObjectView> {
        Some(self)
    }
}

impl ObjectView for Globals {
    fn as_value(&self) -> &dyn ValueView {
        &self.values
    }

    fn size(&self) -> i64 {
        self.values.size()
    }

    fn keys<'k>(&'k self) -> Box<dyn Iterator<Item = KStringCow<'k>> + 'k> {
        ObjectView::keys(&self.values)
    }

    fn values<'k>(&'k self) -> Box<dyn Iterator<Item = &'k dyn ValueView> + 'k> {
        ObjectView::values(&self.values)
    }

    fn iter<'k>(&'k self) -> Box<dyn Iterator<Item = (KStringCow<'k>, &'k dyn ValueView)> + 'k> {
        ObjectView::iter(&self.values)
    }

    fn contains_key(&self, index: &str) -> bool {
        let there = self.values.contains_key(index);
        // A `for` tag looks for the loop around it.
        if index == "forloop" {
            return there;
        }
        let names = if there { &self.asked } else { &self.missing };
        if !names.borrow().contains(index) {
            names.borrow_mut().insert(index.to_owned());
        }
        there
    }

    fn get<'s>(&'s self, index: &str) -> Option<&'s dyn ValueView> {
        ObjectView::get(&self.values, index)
    }
}
