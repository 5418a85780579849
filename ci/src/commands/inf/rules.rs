//! What a primitive minifilter driver's INF must keep, as strict as a program can make it.
//!
//! A rule stands beside the codes that `InfVerif` has for it and the page that asks for it. The codes are those of
//! "INF Validation Errors and Warnings".

mod files;
mod package;
mod registry;
mod sections;
mod service;
mod version;

use self::package::Package;
use super::{Finding, Rule, reader::Inf};

/// What a rule says of a package: each time it is broken, with the code.
type Said = Vec<(Option<u16>, String)>;

type Check = fn(&Package) -> Said;

const CODES: &str = "INF Validation Errors and Warnings";
const MINIFILTER: &str = "Creating an INF File for a Minifilter Driver";
const PRIMITIVE: &str = "Creating a Primitive Driver";

/// The rules.
#[rustfmt::skip]
pub static RULES: &[(Rule, Check)] = &[
    // The file.
    rule("encoding", &[1003], CODES, sections::encoding),
    rule("stampinf", &[1274], CODES, sections::stampinf),
    rule("strings-used", &[], "INF Strings Section", sections::strings_used),
    // Sections and directives.
    rule("primitive", &[1420], PRIMITIVE, sections::primitive),
    rule("sections-found", &[1203, 2006], CODES, sections::found),
    rule("sections-used", &[2083], CODES, sections::used),
    rule("sections-shared", &[1205, 1206], CODES, sections::shared),
    rule("directives-allowed", &[1290], CODES, sections::directives_allowed),
    rule("directives-required", &[1234, 1289], CODES, sections::directives_required),
    rule("values", &[1006, 1201], CODES, sections::values),
    // Which section is for which system. 1287 and 1288 are documented of [Models], whose names are decorated alike.
    rule("architecture", &[1421, 1423], PRIMITIVE, sections::architecture),
    rule("system-version", &[1287, 1288], "INF Manufacturer Section", sections::system_version),
    rule("layouts", &[], MINIFILTER, sections::layouts),
    rule("services-sections", &[], "INF DefaultInstall.Services Section", sections::services_sections),
    // [Version]
    rule("signature", &[1001], "INF Version Section", version::signature),
    rule("class", &[1010, 1280, 1281], "File System Filter Driver Classes and Class GUIDs", version::class),
    rule("provider", &[1204], CODES, version::provider),
    rule("driver-version", &[1217, 1218], "INF DriverVer Directive", version::driver_version),
    rule("catalog", &[1213, 1214, 1233], "INF Version Section", version::catalog),
    rule("pnp-lockdown", &[1324], "INF Version Section", version::pnp_lockdown),
    // Files.
    rule("destinations", &[1100, 1275, 1322], "INF DestinationDirs Section", files::destinations),
    rule("sources", &[1008, 1230, 1273], "INF SourceDisksFiles Section", files::sources),
    rule("deleted-files", &[1102], "INF DelFiles Directive", files::deleted),
    rule("service-binary", &[2084, 2085], "InfVerif Error 2084", files::service_binary),
    // The service.
    rule("service-name", &[1253], "INF AddService Directive", service::name),
    rule("service-kind", &[], MINIFILTER, service::kind),
    rule("start-type", &[], "INF AddService Directive", service::start_type),
    rule("load-order-group", &[], "File System Filter Load Order", service::load_order_group),
    rule("same-service", &[1332, 1333], "InfVerif Error 1330 - 1333", service::same),
    rule("event-source", &[], "INF AddService Directive", service::event_source),
    rule("legacy-uninstall", &[1422], PRIMITIVE, service::legacy_uninstall),
    rule("uninstall", &[], "INF DelService Directive", service::uninstall),
    // The registry.
    rule("registry-root", &[1224, 1321], "INF AddReg Directive", registry::root),
    rule("registry-types", &[1268, 1431], CODES, registry::types),
    rule("registry-once", &[1294], CODES, registry::once),
    rule("registry-paths", &[1257, 1258], CODES, registry::paths),
    rule("parameters-key", &[1323], CODES, registry::parameters_key),
    rule("instances", &[], MINIFILTER, registry::instances),
    rule("altitude", &[], "Load Order Groups and Altitudes for Minifilter Drivers", registry::altitude),
];

const fn rule(
    name: &'static str,
    codes: &'static [u16],
    document: &'static str,
    check: Check,
) -> (Rule, Check) {
    let rule = Rule {
        name,
        codes,
        document,
    };
    (rule, check)
}

/// What breaks a rule.
#[must_use]
pub fn findings(inf: &Inf) -> Vec<Finding> {
    let package = Package::of(inf);
    let mut findings = Vec::new();
    for (rule, check) in RULES {
        findings.extend(check(&package).into_iter().map(|(code, text)| Finding {
            rule,
            code,
            text,
        }));
    }
    findings
}
