//! The mutants of a source file: small changes of its code, one at a time.

use std::{collections::BTreeMap, ops::Range};

use anyhow::Context;
use proc_macro2::{Delimiter, Spacing, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{
    BinOp, Expr, Pat, ReturnType, Stmt, Token, Type,
    parse::{ParseStream, Parser as _},
    spanned::Spanned as _,
    visit::{self, Visit},
};

/// The number of characters of the original and of the replacement that are shown.
const SHOWN: usize = 100;

/// The macros whose arguments no mutant changes: an assertion of a constant, or a text that only a developer sees.
const LEFT_ALONE: [&str; 6] = [
    "assert",
    "compile_error",
    "debug_assert",
    "debug_assert_eq",
    "panic",
    "unreachable",
];

/// One change of one file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mutant {
    /// The path of the file in the project.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// What is replaced, in bytes.
    pub span: Range<usize>,
    /// What replaces it.
    pub replacement: String,
    /// The kind of change.
    pub operator: &'static str,
    /// The function or constant around it, with the type that it belongs to.
    pub function: String,
    /// The replaced text, in one line of at most [`SHOWN`] characters.
    pub find: String,
    /// The replacement, in the same form.
    pub replace: String,
    /// Its number, from 1, among the mutants with the same function, text and replacement.
    pub occurrence: usize,
}

impl Mutant {
    /// The text of the file with the change.
    #[must_use]
    pub fn apply(&self, text: &str) -> String {
        let mut changed = text.to_owned();
        changed.replace_range(self.span.clone(), &self.replacement);
        changed
    }
}

/// The text in one line, shortened.
fn shown(text: &str) -> String {
    let code = text.lines().filter(|line| !line.trim().starts_with("//"));
    let words: Vec<_> = code.flat_map(str::split_whitespace).collect();
    let line = words.join(" ");
    if line.chars().count() <= SHOWN {
        return line;
    }
    line.chars().take(SHOWN - 1).chain(['…']).collect()
}

/// The mutants of a file, in the order of their places.
///
/// # Errors
///
/// The text is not Rust.
pub fn mutants(file: &str, text: &str) -> anyhow::Result<Vec<Mutant>> {
    let parsed = syn::parse_file(text).with_context(|| format!("{file} is not Rust"))?;
    let mut visitor = Visitor {
        file,
        text,
        names: Vec::new(),
        siblings: constants(text)?,
        found: Vec::new(),
    };
    visitor.visit_file(&parsed);
    let mut found = visitor.found;
    // The sort keeps the order of the operators at one place.
    found.sort_by_key(|mutant| (mutant.span.start, mutant.span.end));
    let mut places = std::collections::BTreeSet::new();
    found.retain(|it| places.insert((it.span.start, it.span.end, it.replacement.clone())));
    let mut counts = BTreeMap::new();
    for mutant in &mut found {
        let key = (
            mutant.function.clone(),
            mutant.find.clone(),
            mutant.replace.clone(),
        );
        let count = counts.entry(key).or_insert(0);
        *count += 1;
        mutant.occurrence = *count;
    }
    proc_macro2::extra::invalidate_current_thread_spans();
    Ok(found)
}

/// The names of constants in a file, by the prefix that siblings share.
fn constants(text: &str) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    fn collect(tokens: TokenStream, all: &mut BTreeMap<String, Vec<String>>) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => collect(group.stream(), all),
                TokenTree::Ident(name) => {
                    let name = name.to_string();
                    if let Some(family) = family(&name) {
                        let names = all.entry(family).or_default();
                        if !names.contains(&name) {
                            names.push(name);
                        }
                    }
                }
                _ => {}
            }
        }
    }
    let mut all = BTreeMap::new();
    let tokens: TokenStream = text.parse().map_err(|error| anyhow::anyhow!("{error}"))?;
    collect(tokens, &mut all);
    Ok(all)
}

/// The first two words of a constant's name, such as `FLT_PREOP`; `None` for other names, and for statuses.
fn family(name: &str) -> Option<String> {
    let is_constant = name
        .bytes()
        .all(|it| it.is_ascii_uppercase() || it.is_ascii_digit() || it == b'_');
    let mut words = name.split('_');
    let (first, second) = (words.next()?, words.next()?);
    words.next()?;
    (is_constant && !first.is_empty() && first != "STATUS").then(|| format!("{first}_{second}"))
}

struct Visitor<'a> {
    file: &'a str,
    text: &'a str,
    names: Vec<String>,
    siblings: BTreeMap<String, Vec<String>>,
    found: Vec<Mutant>,
}

impl Visitor<'_> {
    fn text_of(&self, node: &impl ToTokens) -> &str {
        &self.text[node.span().byte_range()]
    }

    fn add(&mut self, operator: &'static str, span: Range<usize>, replacement: impl Into<String>) {
        let (original, replacement) = (&self.text[span.clone()], replacement.into());
        if original == replacement {
            return;
        }
        let before = &self.text[..span.start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        self.found.push(Mutant {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            function: self.names.join("::"),
            find: shown(original),
            replace: shown(&replacement),
            occurrence: 0,
            span,
            replacement,
            operator,
        });
    }

    fn replace(&mut self, operator: &'static str, span: Span, replacement: impl Into<String>) {
        self.add(operator, span.byte_range(), replacement);
    }

    fn within(&mut self, name: Option<String>, visit: impl FnOnce(&mut Self)) {
        let length = self.names.len();
        self.names.extend(name);
        visit(self);
        self.names.truncate(length);
    }

    /// A condition: negated, unless another operator does the same.
    fn condition(&mut self, condition: &Expr) {
        let negated_otherwise = match condition {
            Expr::Binary(binary) => comparisons(&binary.op).is_some(),
            Expr::Unary(unary) => matches!(unary.op, syn::UnOp::Not(_)),
            _ => false,
        };
        if !negated_otherwise && !contains_let(condition) {
            let text = format!("!({})", self.text_of(condition));
            self.replace("negate", condition.span(), text);
        }
    }

    fn literal(&mut self, literal: &syn::Lit) {
        match literal {
            syn::Lit::Int(number) => {
                let Ok(value) = number.base10_parse::<u64>() else {
                    return;
                };
                let next = value.wrapping_add(1);
                let suffix = number.suffix();
                let text = if number.to_string().starts_with("0x") {
                    format!("{next:#x}{suffix}")
                } else {
                    format!("{next}{suffix}")
                };
                self.replace("literal", number.span(), text);
            }
            syn::Lit::Bool(value) => {
                self.replace("literal", value.span(), (!value.value).to_string());
            }
            syn::Lit::Str(text) if !text.value().is_empty() => {
                let written = self.text[text.span().byte_range()].to_owned();
                let (Some(first), Some(last)) = (written.find('"'), written.rfind('"')) else {
                    return;
                };
                let (before, after) = (&written[..=first], &written[last..]);
                self.replace("literal", text.span(), format!("{before}{after}"));
                let longer = format!("{}x{after}", &written[..last]);
                self.replace("literal", text.span(), longer);
            }
            _ => {}
        }
    }

    /// The name of a constant: another one. `whole` is the path that a status of another crate replaces.
    fn constant(&mut self, name: &proc_macro2::Ident, whole: Span) {
        let text = name.to_string();
        if text.starts_with("STATUS_") {
            for other in ["STATUS_SUCCESS", "STATUS_UNSUCCESSFUL"] {
                if text != other {
                    self.replace("constant", whole, format!("::wdk_sys::{other}"));
                }
            }
        }
        let Some(family) = family(&text) else {
            return;
        };
        self.replace("constant", whole, "0");
        let names = self.siblings.get(&family);
        let Some(names) = names.filter(|names| names.len() > 1) else {
            return;
        };
        let Some(at) = names.iter().position(|it| *it == text) else {
            return;
        };
        let (next, previous) = (
            names[(at + 1) % names.len()].clone(),
            names[(at + names.len() - 1) % names.len()].clone(),
        );
        for other in [next, previous] {
            self.replace("constant", name.span(), other);
        }
    }

    /// Literals and constants among the tokens of a macro.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        for (at, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Group(group) if is_attribute(&tokens[..at], group) => {}
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(name) if *name == "true" || *name == "false" => {
                    let other = if *name == "true" { "false" } else { "true" };
                    self.replace("literal", name.span(), other);
                }
                TokenTree::Ident(name) => self.constant(name, name.span()),
                TokenTree::Literal(literal) => self.literal(&syn::Lit::new(literal.clone())),
                TokenTree::Punct(_) => {}
            }
        }
    }

    /// The arguments of `matches!`, which are code. Returns whether they are understood.
    fn matches(&mut self, tokens: &TokenStream) -> bool {
        let parser = |input: ParseStream| {
            let expression: Expr = input.parse()?;
            input.parse::<Token![,]>()?;
            let pattern = Pat::parse_multi(input)?;
            let guard = input
                .parse::<Option<Token![if]>>()?
                .map(|_| input.parse::<Expr>());
            let guard = guard.transpose()?;
            input.parse::<Option<Token![,]>>()?;
            Ok((expression, pattern, guard))
        };
        let Ok((expression, pattern, guard)) = parser.parse2(tokens.clone()) else {
            return false;
        };
        self.visit_expr(&expression);
        self.visit_pat(&pattern);
        if let Some(guard) = guard {
            self.condition(&guard);
            self.visit_expr(&guard);
        }
        true
    }

    fn body(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let name = signature.ident.to_string();
        self.within(Some(name), |this| {
            let inside = block.span().byte_range();
            for default in defaults(&signature.output) {
                if !block.stmts.is_empty() && this.text_of(block) != format!("{{ {default} }}") {
                    this.add("body", inside.clone(), format!("{{ {default} }}"));
                }
            }
            this.visit_block(block);
        });
    }
}

/// Whether a group, after these tokens, is an attribute.
fn is_attribute(before: &[TokenTree], group: &proc_macro2::Group) -> bool {
    let hash = |token: &TokenTree| matches!(token, TokenTree::Punct(it) if it.as_char() == '#' && it.spacing() == Spacing::Alone);
    group.delimiter() == Delimiter::Bracket && before.last().is_some_and(hash)
}

fn contains_let(expression: &Expr) -> bool {
    match expression {
        Expr::Let(_) => true,
        Expr::Binary(binary) => contains_let(&binary.left) || contains_let(&binary.right),
        _ => false,
    }
}

/// The operators that replace a comparison.
fn comparisons(operator: &BinOp) -> Option<&'static [&'static str]> {
    Some(match operator {
        BinOp::Eq(_) => &["!="],
        BinOp::Ne(_) => &["=="],
        BinOp::Lt(_) => &["<=", ">="],
        BinOp::Le(_) => &["<", ">"],
        BinOp::Gt(_) => &[">=", "<="],
        BinOp::Ge(_) => &[">", "<"],
        _ => return None,
    })
}

/// The operators that replace another operator.
fn others(operator: &BinOp) -> &'static [&'static str] {
    match operator {
        BinOp::Add(_) => &["-"],
        BinOp::Sub(_) | BinOp::Div(_) => &["+"],
        BinOp::Mul(_) | BinOp::Rem(_) => &["/"],
        BinOp::And(_) => &["||"],
        BinOp::Or(_) => &["&&"],
        BinOp::BitAnd(_) => &["|"],
        BinOp::BitOr(_) | BinOp::BitXor(_) => &["&"],
        BinOp::Shl(_) => &[">>"],
        BinOp::Shr(_) => &["<<"],
        BinOp::AddAssign(_) => &["-="],
        BinOp::SubAssign(_) => &["+="],
        BinOp::BitAndAssign(_) => &["|="],
        BinOp::BitOrAssign(_) => &["&="],
        _ => &[],
    }
}

/// Expressions of a return type: the smallest values, and those that report success.
fn defaults(output: &ReturnType) -> Vec<String> {
    let ReturnType::Type(_, returned) = output else {
        return vec![String::new()];
    };
    let owned = |values: &[&str]| values.iter().map(ToString::to_string).collect();
    let Type::Path(path) = &**returned else {
        return match &**returned {
            Type::Ptr(pointer) if pointer.mutability.is_some() => {
                owned(&["::core::ptr::null_mut()"])
            }
            Type::Tuple(tuple) if tuple.elems.is_empty() => owned(&[""]),
            _ => Vec::new(),
        };
    };
    let Some(last) = path.path.segments.last() else {
        return Vec::new();
    };
    let name = last.ident.to_string();
    let arguments = last.arguments.to_token_stream().to_string();
    match name.as_str() {
        "bool" => owned(&["true", "false"]),
        "Option" => owned(&["None"]),
        "Result" if arguments.starts_with("< ()") || arguments.starts_with("<()") => {
            owned(&["Ok(())"])
        }
        "u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "i64" | "isize" => {
            owned(&["0"])
        }
        // The integers of C, such as NTSTATUS.
        _ if name.len() > 1 && name.bytes().all(|it| it.is_ascii_uppercase() || it == b'_') => {
            owned(&["0"])
        }
        _ => Vec::new(),
    }
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && attribute.to_token_stream().to_string().contains("test")
    })
}

/// Whether a statement may stand after the one that it follows, as far as its form says.
fn is_plain(statement: &Stmt) -> bool {
    match statement {
        Stmt::Expr(_, semicolon) => semicolon.is_some(),
        Stmt::Macro(it) => it.semi_token.is_some(),
        Stmt::Local(_) => true,
        Stmt::Item(_) => false,
    }
}

/// Whether a statement can be deleted without another change.
fn is_deletable(statement: &Stmt) -> bool {
    match statement {
        Stmt::Local(local) => match &local.pat {
            Pat::Ident(it) => it.ident.to_string().starts_with('_'),
            Pat::Wild(_) => true,
            _ => false,
        },
        Stmt::Expr(Expr::If(it), None) => it.else_branch.is_none(),
        Stmt::Expr(Expr::While(_) | Expr::ForLoop(_), None) => true,
        other => is_plain(other),
    }
}

impl<'ast> Visit<'ast> for Visitor<'_> {
    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}
    fn visit_item_use(&mut self, _: &'ast syn::ItemUse) {}
    fn visit_item_foreign_mod(&mut self, _: &'ast syn::ItemForeignMod) {}
    fn visit_type_array(&mut self, _: &'ast syn::TypeArray) {}

    fn visit_item(&mut self, item: &'ast syn::Item) {
        let name = match item {
            syn::Item::Mod(it) if is_for_tests(&it.attrs) => return,
            syn::Item::Fn(it) if is_for_tests(&it.attrs) => return,
            // An assertion about a layout, which the compiler checks.
            syn::Item::Const(it) if it.ident == "_" => return,
            syn::Item::Mod(it) => Some(it.ident.to_string()),
            syn::Item::Const(it) => Some(it.ident.to_string()),
            syn::Item::Static(it) => Some(it.ident.to_string()),
            syn::Item::Struct(it) => Some(it.ident.to_string()),
            syn::Item::Enum(it) => Some(it.ident.to_string()),
            syn::Item::Trait(it) => Some(it.ident.to_string()),
            syn::Item::Macro(it) => it.ident.as_ref().map(|it| format!("{it}!")),
            syn::Item::Impl(it) => match &*it.self_ty {
                Type::Path(path) => path.path.segments.last().map(|it| it.ident.to_string()),
                other => Some(shown(self.text_of(other))),
            },
            _ => None,
        };
        self.within(name, |this| visit::visit_item(this, item));
    }

    fn visit_item_fn(&mut self, it: &'ast syn::ItemFn) {
        self.body(&it.sig, &it.block);
    }

    fn visit_impl_item_fn(&mut self, it: &'ast syn::ImplItemFn) {
        self.body(&it.sig, &it.block);
    }

    fn visit_trait_item_fn(&mut self, it: &'ast syn::TraitItemFn) {
        if let Some(block) = &it.default {
            self.body(&it.sig, block);
        }
    }

    fn visit_impl_item_const(&mut self, it: &'ast syn::ImplItemConst) {
        self.within(Some(it.ident.to_string()), |this| this.visit_expr(&it.expr));
    }

    /// The fields are dropped in their order.
    fn visit_fields_named(&mut self, fields: &'ast syn::FieldsNamed) {
        let fields: Vec<_> = fields.named.iter().collect();
        for pair in fields.windows(2) {
            let range = pair[0].span().byte_range().start..pair[1].span().byte_range().end;
            let swapped = format!("{}, {}", self.text_of(pair[1]), self.text_of(pair[0]));
            self.add("swap", range, swapped);
        }
    }

    fn visit_block(&mut self, block: &'ast syn::Block) {
        for (at, statement) in block.stmts.iter().enumerate() {
            let is_tail = at + 1 == block.stmts.len();
            let has_value = is_tail && matches!(statement, Stmt::Expr(_, None));
            let is_unit = matches!(statement, Stmt::Expr(Expr::If(it), _) if it.else_branch.is_none())
                || matches!(statement, Stmt::Expr(Expr::While(_) | Expr::ForLoop(_), _));
            if is_deletable(statement) && (!has_value || is_unit) {
                self.replace("delete", statement.span(), "");
            }
            let Some(next) = block.stmts.get(at + 1) else {
                continue;
            };
            let both_are_lets = matches!((statement, next), (Stmt::Local(_), Stmt::Local(_)));
            if is_plain(statement) && is_plain(next) && !both_are_lets {
                let range = statement.span().byte_range().start..next.span().byte_range().end;
                let swapped = format!("{} {}", self.text_of(next), self.text_of(statement));
                self.add("swap", range, swapped);
            }
        }
        visit::visit_block(self, block);
    }

    fn visit_expr_if(&mut self, it: &'ast syn::ExprIf) {
        self.condition(&it.cond);
        if let (true, Some((_, other))) = (contains_let(&it.cond), &it.else_branch) {
            let text = self.text_of(other).to_owned();
            self.replace("delete", it.span(), text);
        }
        visit::visit_expr_if(self, it);
    }

    fn visit_expr_while(&mut self, it: &'ast syn::ExprWhile) {
        self.condition(&it.cond);
        visit::visit_expr_while(self, it);
    }

    fn visit_expr_match(&mut self, it: &'ast syn::ExprMatch) {
        let has_rest = matches!(it.arms.last().map(|arm| &arm.pat), Some(Pat::Wild(_)));
        for (at, arm) in it.arms.iter().enumerate() {
            if let Some((keyword, guard)) = &arm.guard {
                self.condition(guard);
                let range = keyword.span().byte_range().start..guard.span().byte_range().end;
                self.add("delete", range, "");
            }
            if has_rest && at + 1 < it.arms.len() {
                self.replace("delete", arm.span(), "");
            }
        }
        visit::visit_expr_match(self, it);
    }

    fn visit_pat_or(&mut self, it: &'ast syn::PatOr) {
        let cases: Vec<_> = it.cases.iter().collect();
        for (at, case) in cases.iter().enumerate() {
            let range = match cases.get(at + 1) {
                Some(next) => case.span().byte_range().start..next.span().byte_range().start,
                None => cases[at - 1].span().byte_range().end..case.span().byte_range().end,
            };
            self.add("delete", range, "");
        }
        visit::visit_pat_or(self, it);
    }

    fn visit_expr_array(&mut self, it: &'ast syn::ExprArray) {
        let elements: Vec<_> = it.elems.iter().collect();
        for (at, element) in elements.iter().enumerate() {
            let end = elements.get(at + 1).map_or_else(
                || element.span().byte_range().end,
                |next| next.span().byte_range().start,
            );
            self.add("delete", element.span().byte_range().start..end, "");
        }
        visit::visit_expr_array(self, it);
    }

    fn visit_expr_struct(&mut self, it: &'ast syn::ExprStruct) {
        if it.rest.is_some() {
            for pair in it.fields.pairs() {
                self.replace("delete", pair.span(), "");
            }
        }
        visit::visit_expr_struct(self, it);
    }

    fn visit_expr_unary(&mut self, it: &'ast syn::ExprUnary) {
        if matches!(it.op, syn::UnOp::Not(_)) {
            let text = self.text_of(&it.expr).to_owned();
            self.replace("negate", it.span(), text);
        }
        visit::visit_expr_unary(self, it);
    }

    fn visit_expr_binary(&mut self, it: &'ast syn::ExprBinary) {
        let replacements = comparisons(&it.op).unwrap_or_else(|| others(&it.op));
        for replacement in replacements {
            self.replace("operator", it.op.span(), *replacement);
        }
        if matches!(it.op, BinOp::BitOr(_)) {
            for kept in [&it.left, &it.right] {
                let text = self.text_of(kept).to_owned();
                self.replace("flags", it.span(), text);
            }
        }
        visit::visit_expr_binary(self, it);
    }

    fn visit_expr_lit(&mut self, it: &'ast syn::ExprLit) {
        self.literal(&it.lit);
    }

    fn visit_expr_path(&mut self, it: &'ast syn::ExprPath) {
        if let Some(last) = it.path.segments.last() {
            self.constant(&last.ident, it.span());
        }
        visit::visit_expr_path(self, it);
    }

    fn visit_expr_call(&mut self, it: &'ast syn::ExprCall) {
        if let Expr::Path(function) = &*it.func {
            let result = match function.path.get_ident().map(ToString::to_string) {
                Some(name) if name == "Some" => Some("None"),
                Some(name) if name == "Err" => Some("Ok(())"),
                _ => None,
            };
            if let Some(result) = result {
                self.replace("variant", it.span(), result);
            }
        }
        visit::visit_expr_call(self, it);
    }

    fn visit_macro(&mut self, it: &'ast syn::Macro) {
        let name = it.path.segments.last().map(|last| last.ident.to_string());
        let name = name.unwrap_or_default();
        if LEFT_ALONE.contains(&name.as_str()) || name == "matches" && self.matches(&it.tokens) {
            return;
        }
        self.tokens(it.tokens.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The changes of a text, as `original -> replacement`, that an operator makes.
    fn changes(operator: &str, text: &str) -> Vec<String> {
        let all = mutants("a.rs", text).unwrap();
        for mutant in &all {
            assert_ne!(mutant.apply(text), text, "{mutant:?}");
        }
        let of_operator = all.iter().filter(|it| it.operator == operator);
        of_operator
            .map(|it| format!("{} -> {}", it.find, it.replace))
            .collect()
    }

    #[test]
    fn conditions_are_negated() {
        let text = "fn f(a: bool) { if a { g() } while !a { g() } match 1 { _ if h() => (), _ => () } if let A = b {} if 1 < 2 {} }";
        assert_eq!(
            changes("negate", text),
            ["a -> !(a)", "!a -> a", "h() -> !(h())"]
        );
    }

    #[test]
    fn operators_are_replaced() {
        let text = "fn f() -> X { g(a == b, a < b, a + b, a & b, a && b, a << b) }";
        assert_eq!(
            changes("operator", text),
            [
                "== -> !=", "< -> <=", "< -> >=", "+ -> -", "& -> |", "&& -> ||", "<< -> >>"
            ]
        );
        assert_eq!(
            changes("flags", "const A: u32 = B | C;"),
            ["B | C -> B", "B | C -> C"]
        );
    }

    #[test]
    fn literals_are_replaced() {
        let text = r#"const A: X = f(0, 0xF_u8, true, r"a\b", ""); text! { "c", 1, #[doc = "d"] }"#;
        assert_eq!(
            changes("literal", text),
            [
                "0 -> 1",
                "0xF_u8 -> 0x10u8",
                "true -> false",
                r#"r"a\b" -> r"""#,
                r#"r"a\b" -> r"a\bx""#,
                r#""c" -> """#,
                r#""c" -> "cx""#,
                "1 -> 2"
            ]
        );
    }

    #[test]
    fn constants_are_replaced() {
        let text = "use a::{IRP_MJ_A, IRP_MJ_B}; fn f() { g(IRP_MJ_A, a::STATUS_SUCCESS, Q_R_S) }";
        assert_eq!(
            changes("constant", text),
            [
                "IRP_MJ_A -> 0",
                "IRP_MJ_A -> IRP_MJ_B",
                "a::STATUS_SUCCESS -> ::wdk_sys::STATUS_UNSUCCESSFUL",
                "Q_R_S -> 0"
            ]
        );
        let text = "fn f() { g(Some(1)); h(Err(2)); }";
        assert_eq!(
            changes("variant", text),
            ["Some(1) -> None", "Err(2) -> Ok(())"]
        );
    }

    #[test]
    fn parts_are_deleted() {
        let text = "fn f() { g(1)?; let _a = 1; let b = 2; if b { c() } }";
        assert_eq!(
            changes("delete", text),
            ["g(1)?; -> ", "let _a = 1; -> ", "if b { c() } -> "]
        );
        let text = "fn f() -> X { match a { 1 | 2 if b => 3, _ => matches!(a, D | E) } }";
        assert_eq!(
            changes("delete", text),
            [
                "1 | -> ",
                "1 | 2 if b => 3, -> ",
                "| 2 -> ",
                "if b -> ",
                "D | -> ",
                "| E -> "
            ]
        );
        assert_eq!(
            changes("delete", "const A: B = &[c, d];"),
            ["c, -> ", "d -> "]
        );
        assert_eq!(
            changes("delete", "const A: B = C { d: 1, ..e };"),
            ["d: 1, -> "]
        );
        assert_eq!(
            changes("delete", "fn f() -> X { if let A = b { c } else { d } }"),
            ["if let A = b { c } else { d } -> { d }"]
        );
    }

    #[test]
    fn bodies_are_replaced() {
        let of = |signature: &str| changes("body", &format!("{signature} {{ g() }}"));
        assert_eq!(of("fn f()"), ["{ g() } -> { }"]);
        assert_eq!(
            of("fn f() -> bool"),
            ["{ g() } -> { true }", "{ g() } -> { false }"]
        );
        assert_eq!(of("fn f() -> Result<(), E>"), ["{ g() } -> { Ok(()) }"]);
        assert_eq!(of("fn f() -> Option<A>"), ["{ g() } -> { None }"]);
        assert_eq!(of("fn f() -> NTSTATUS"), ["{ g() } -> { 0 }"]);
        assert!(of("fn f() -> Self").is_empty());
        assert!(changes("body", "fn f() {}").is_empty());
    }

    #[test]
    fn adjacent_parts_are_swapped() {
        let text = "fn f() { let a = 1; g(a); h(); } struct S { a: A, b: B }";
        assert_eq!(
            changes("swap", text),
            [
                "let a = 1; g(a); -> g(a); let a = 1;",
                "g(a); h(); -> h(); g(a);",
                "a: A, b: B -> b: B, a: A"
            ]
        );
    }

    #[test]
    fn what_is_no_code_of_the_driver_is_left_alone() {
        let text = "
            /// 1
            #[a(2)]
            #[cfg(test)]
            mod tests { fn f() { g(1); } }
            const _: () = { assert!(1 == 1); };
            unsafe extern \"C\" { fn f(a: [u8; 4]); }
            use a::B;";
        assert!(mutants("a.rs", text).unwrap().is_empty());
    }

    #[test]
    fn a_mutant_is_identified_without_its_line() {
        let text = "impl A<B> { fn f() -> X { g(1, 1) } }";
        let all = mutants("a.rs", text).unwrap();
        let numbers: Vec<_> = all
            .iter()
            .map(|it| (it.function.as_str(), it.line, it.column, it.occurrence))
            .collect();
        assert_eq!(numbers, [("A::f", 1, 29, 1), ("A::f", 1, 32, 2)]);
    }
}
