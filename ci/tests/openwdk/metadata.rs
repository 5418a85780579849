//! Microsoft's metadata of its headers, from the crate windows-sys: a second source besides the documentation, and a
//! complete one. The crate is read as source text and not compiled.
//!
//! The metadata lacks `const` (it says instead whether a parameter is input or output), alignments that a header
//! requires beyond the natural ones, and bit fields.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use syn::{
    Attribute, Expr, ExprLit, ExprUnary, Fields, File, FnArg, GenericArgument, Item, ItemType, Lit,
    LitStr, Meta, PathArguments, ReturnType, Signature, Token, Type, UnOp,
    parse::{Parse, ParseStream},
};

/// The modules whose structures are those of a minifilter's headers.
const MODULES: [&str; 6] = [
    "Wdk/Storage/FileSystem",
    "Wdk/Storage/FileSystem/Minifilters",
    "Wdk/Foundation",
    "Wdk/System/SystemServices",
    "Win32/Security",
    "Win32/System/Ioctl",
];

/// Modules that [`MODULES`] refer to. If several have a name, the first one counts.
const REFERRED_TO: [&str; 16] = [
    "Wdk/System/IO",
    "Wdk/System/Memory",
    "Wdk/System/Registry",
    "Wdk/System/SystemInformation",
    "Wdk/System/Threading",
    "Win32/Foundation",
    "Win32/Security/Authentication/Identity",
    "Win32/Storage/FileSystem",
    "Win32/Storage/Vhd",
    "Win32/System/Diagnostics/Debug",
    "Win32/System/IO",
    "Win32/System/Kernel",
    "Win32/System/Power",
    "Win32/System/SystemServices",
    "Win32/System/Threading",
    "Win32/System/WindowsProgramming",
];

/// The metadata of all modules.
pub struct Metadata {
    records: HashMap<String, Record>,
    aliases: HashMap<String, Type>,
    /// The functions of fltmgr.sys.
    pub functions: Vec<Function>,
    /// The types of a minifilter's callbacks.
    pub callbacks: Vec<Function>,
    /// The numbers of [`MODULES`] by name, without those of the system services, many of which depend on the processor.
    pub numbers: BTreeMap<String, i64>,
}

/// A function, or the type of one.
pub struct Function {
    pub name: String,
    result: ReturnType,
    parameters: Vec<Type>,
}

/// A structure or union.
struct Record {
    is_union: bool,
    packed: Option<u64>,
    fields: Vec<(String, Type)>,
    /// It is declared in one of [`MODULES`] and is not an unnamed part of another record.
    is_compared: bool,
}

/// How a structure is laid out on 64-bit Windows.
#[derive(Debug, PartialEq, Eq)]
pub struct Layout {
    pub size: u64,
    pub fields: BTreeMap<String, u64>,
}

/// `"fltmgr.sys" "system" fn name(…) -> …`, the arguments of `windows_link::link!`.
struct Link {
    library: String,
    function: Signature,
}

impl Parse for Link {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let library: LitStr = input.parse()?;
        input.parse::<LitStr>()?;
        // Some have the name of the import, which is the name of the function.
        if input.peek(LitStr) {
            input.parse::<LitStr>()?;
        }
        let function = input.parse()?;
        input.parse::<Option<Token![;]>>()?;
        Ok(Self {
            library: library.value(),
            function,
        })
    }
}

impl Metadata {
    /// Reads the sources of the crate.
    pub fn read() -> Self {
        let source = windows_sys();
        let mut all = Self {
            records: HashMap::new(),
            aliases: HashMap::new(),
            functions: Vec::new(),
            callbacks: Vec::new(),
            numbers: BTreeMap::new(),
        };
        for module in MODULES.iter().chain(&REFERRED_TO) {
            let file = source.join(module).join("mod.rs");
            all.add(module, &fs::read_to_string(&file).unwrap());
        }
        all
    }

    fn add(&mut self, module: &str, text: &str) {
        let file: File = syn::parse_str(text).unwrap();
        for item in file.items {
            match item {
                Item::Struct(item) if !is_of_32_bits(&item.attrs) => {
                    self.add_record(
                        module,
                        &item.ident.to_string(),
                        &item.attrs,
                        &item.fields,
                        false,
                    );
                }
                Item::Union(item) if !is_of_32_bits(&item.attrs) => {
                    let fields = Fields::Named(item.fields);
                    self.add_record(module, &item.ident.to_string(), &item.attrs, &fields, true);
                }
                Item::Type(item) => {
                    if module.ends_with("Minifilters") {
                        self.callbacks.extend(callback(&item));
                    }
                    self.aliases
                        .entry(item.ident.to_string())
                        .or_insert(*item.ty);
                }
                Item::Const(item)
                    if MODULES.contains(&module) && !module.ends_with("SystemServices") =>
                {
                    if let Some(number) = number(&item.expr) {
                        self.numbers.insert(item.ident.to_string(), number);
                    }
                }
                Item::Macro(item) if module.ends_with("Minifilters") => {
                    let link: Link = syn::parse2(item.mac.tokens).unwrap();
                    assert_eq!(link.library, "fltmgr.sys");
                    self.functions.push(function(link.function));
                }
                _ => {}
            }
        }
    }

    fn add_record(
        &mut self,
        module: &str,
        name: &str,
        attributes: &[Attribute],
        fields: &Fields,
        is_union: bool,
    ) {
        let is_part = name
            .rsplit_once('_')
            .is_some_and(|(_, last)| last.parse::<u32>().is_ok());
        let fields = fields
            .iter()
            .filter_map(|field| Some((field.ident.as_ref()?, field.ty.clone())))
            .map(|(name, kind)| (name.to_string().trim_start_matches("r#").to_owned(), kind))
            .collect();
        self.records.entry(name.to_owned()).or_insert(Record {
            is_union,
            packed: packed(attributes),
            fields,
            is_compared: !is_part && MODULES.contains(&module),
        });
    }

    /// The names of the structures and unions that are compared.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self
            .records
            .iter()
            .filter(|(_, record)| record.is_compared)
            .map(|(name, _)| name.as_str())
            .collect();
        names.sort_unstable();
        names
    }

    /// The layout of a structure or union.
    pub fn layout(&self, name: &str) -> Layout {
        let mut fields = BTreeMap::new();
        self.add_fields(name, name, 0, "", &mut fields);
        Layout {
            size: self.size_and_alignment_of(name).0,
            fields,
        }
    }

    /// Adds the offset of each field. The fields of an unnamed part have no prefix.
    fn add_fields(
        &self,
        whole: &str,
        name: &str,
        at: u64,
        prefix: &str,
        fields: &mut BTreeMap<String, u64>,
    ) {
        for (field, offset, kind) in self.offsets(name) {
            // Bit fields have no offset.
            if field.starts_with("_bitfield") {
                continue;
            }
            let at = at + offset;
            let part = name_of(kind).filter(|part| {
                part.strip_prefix(whole)
                    .is_some_and(|rest| rest.starts_with('_'))
                    && self.records.contains_key(part)
            });
            let unnamed = field.starts_with("Anonymous");
            if !unnamed {
                fields.insert(format!("{prefix}{field}"), at);
            }
            if let Some(part) = part {
                let prefix = if unnamed {
                    prefix.to_owned()
                } else {
                    format!("{prefix}{field}.")
                };
                self.add_fields(whole, &part, at, &prefix, fields);
            }
        }
    }

    fn offsets(&self, name: &str) -> Vec<(&str, u64, &Type)> {
        let record = &self.records[name];
        let mut end = 0_u64;
        record
            .fields
            .iter()
            .map(|(field, kind)| {
                let (size, alignment) = self.measure(kind);
                let alignment = alignment.min(record.packed.unwrap_or(u64::MAX));
                let offset = if record.is_union {
                    0
                } else {
                    end.next_multiple_of(alignment)
                };
                end = offset + size;
                (field.as_str(), offset, kind)
            })
            .collect()
    }

    fn size_and_alignment_of(&self, name: &str) -> (u64, u64) {
        let record = &self.records[name];
        let (mut size, mut alignment) = (0, 1);
        for (_, offset, kind) in self.offsets(name) {
            let (field, field_alignment) = self.measure(kind);
            alignment = alignment.max(field_alignment.min(record.packed.unwrap_or(u64::MAX)));
            size = size.max(offset + field);
        }
        (size.next_multiple_of(alignment), alignment)
    }

    /// The size and alignment of a type.
    fn measure(&self, kind: &Type) -> (u64, u64) {
        match kind {
            Type::Ptr(_) => (8, 8),
            Type::Array(array) => {
                let (size, alignment) = self.measure(&array.elem);
                (
                    size * u64::try_from(number(&array.len).unwrap()).unwrap(),
                    alignment,
                )
            }
            _ => self.measure_named(&name_of(kind).unwrap()),
        }
    }

    fn measure_named(&self, name: &str) -> (u64, u64) {
        let size = match name {
            "u8" | "i8" | "bool" => 1,
            "u16" | "i16" => 2,
            "u32" | "i32" | "f32" | "BOOL" => 4,
            // Including pointers to functions and to strings.
            "u64" | "i64" | "f64" | "usize" | "isize" | "Option" | "PSTR" | "PWSTR" | "PCSTR"
            | "PCWSTR" => 8,
            "GUID" => return (16, 4),
            _ if self.records.contains_key(name) => return self.size_and_alignment_of(name),
            _ => {
                let alias = self.aliases.get(name);
                return self.measure(alias.unwrap_or_else(|| panic!("no module has {name}")));
            }
        };
        (size, size)
    }
}

impl Function {
    /// The C types that the function can have, without `const`.
    pub fn types_in_c(&self) -> Vec<String> {
        let result = match &self.result {
            ReturnType::Default => vec!["VOID".to_owned()],
            ReturnType::Type(_, kind) => in_c(kind),
        };
        let mut types: Vec<String> = result
            .into_iter()
            .map(|result| format!("{result} FLTAPI ("))
            .collect();
        for (position, parameter) in self.parameters.iter().enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            types = types
                .iter()
                .flat_map(|before| {
                    in_c(parameter)
                        .into_iter()
                        .map(move |kind| format!("{before}{comma}{kind}"))
                })
                .collect();
        }
        let none = if self.parameters.is_empty() {
            "VOID"
        } else {
            ""
        };
        types.into_iter().map(|it| format!("{it}{none})")).collect()
    }
}

fn function(signature: Signature) -> Function {
    let parameters = signature.inputs.into_iter().map(|input| match input {
        FnArg::Typed(input) => *input.ty,
        FnArg::Receiver(_) => panic!("a function of a library has no receiver"),
    });
    Function {
        name: signature.ident.to_string(),
        result: signature.output,
        parameters: parameters.collect(),
    }
}

/// `pub type NAME = Option<unsafe extern "system" fn(…) -> …>;`
fn callback(item: &ItemType) -> Option<Function> {
    let Type::Path(option) = &*item.ty else {
        return None;
    };
    let PathArguments::AngleBracketed(arguments) = &option.path.segments.last()?.arguments else {
        return None;
    };
    let Some(GenericArgument::Type(Type::BareFn(kind))) = arguments.args.first() else {
        return None;
    };
    Some(Function {
        name: item.ident.to_string(),
        result: kind.output.clone(),
        parameters: kind.inputs.iter().map(|input| input.ty.clone()).collect(),
    })
}

/// The C types that a type of the metadata can stand for. The metadata has one name for a number type, C has several.
fn in_c(kind: &Type) -> Vec<String> {
    if let Type::Ptr(pointer) = kind {
        return in_c(&pointer.elem)
            .into_iter()
            .map(|pointee| format!("{pointee} *"))
            .collect();
    }
    let name = name_of(kind).unwrap();
    let names: &[&str] = match name.as_str() {
        "c_void" => &["void"],
        "bool" => &["BOOLEAN"],
        "u8" => &["UCHAR"],
        "u16" => &["USHORT"],
        "u32" => &["ULONG"],
        "i32" => &["LONG"],
        "i64" => &["LARGE_INTEGER", "LONGLONG"],
        "usize" => &["ULONG_PTR"],
        _ => return vec![name],
    };
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The folder of the sources of windows-sys, in the version that ci/Cargo.lock names.
fn windows_sys() -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--manifest-path",
        ])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .output()
        .unwrap();
    assert!(output.status.success());
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    // The newest version, which is the one that xtask depends on.
    let manifest = packages
        .iter()
        .filter(|package| package["name"] == "windows-sys")
        .max_by_key(|package| {
            package["version"]
                .as_str()
                .unwrap()
                .split('.')
                .map(|part| part.parse::<u32>().unwrap())
                .collect::<Vec<_>>()
        })
        .unwrap();
    Path::new(manifest["manifest_path"].as_str().unwrap())
        .with_file_name("src")
        .join("Windows")
}

/// Whether an item is declared only for 32-bit processors.
fn is_of_32_bits(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => {
            let text = list.tokens.to_string();
            text.contains("\"x86\"") && !text.contains("\"x86_64\"")
        }
        _ => false,
    })
}

/// The N of `repr(C, packed(N))`.
fn packed(attributes: &[Attribute]) -> Option<u64> {
    let mut packed = None;
    for attribute in attributes {
        if attribute.path().is_ident("repr") {
            attribute
                .parse_nested_meta(|meta| {
                    if meta.path.is_ident("packed") {
                        let content;
                        syn::parenthesized!(content in meta.input);
                        packed = Some(content.parse::<syn::LitInt>()?.base10_parse()?);
                    }
                    Ok(())
                })
                .unwrap();
        }
    }
    packed
}

/// The value of a number literal, with or without a sign. Other constants are strings and GUIDs.
fn number(expression: &Expr) -> Option<i64> {
    match expression {
        Expr::Lit(ExprLit {
            lit: Lit::Int(number),
            ..
        }) => number.base10_parse().ok(),
        Expr::Unary(ExprUnary {
            op: UnOp::Neg(_),
            expr,
            ..
        }) => number(expr).map(i64::wrapping_neg),
        Expr::Cast(cast) => number(&cast.expr),
        _ => None,
    }
}

/// The last segment of a path.
fn name_of(kind: &Type) -> Option<String> {
    match kind {
        Type::Path(path) => Some(path.path.segments.last()?.ident.to_string()),
        _ => None,
    }
}
