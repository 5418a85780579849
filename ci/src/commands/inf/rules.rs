//! The rules for the INF of a primitive minifilter driver.
//!
//! The rules apply to the INF of any minifilter, not only to those of this template. The choices of one driver are
//! compared with [the answers](super::answers) or with [testbench.toml](super::promises).

mod breach;
mod files;
mod package;
mod registry;
mod sections;
mod service;
mod version;

use self::breach::Said;
pub(super) use self::package::{Install, Package};
use super::{
    finding::{
        Finding,
        Level::{self, Must, Should},
        Rule,
    },
    reader::Inf,
};

type Check = fn(&Package) -> Said;

const CODES: &str = "INF Validation Errors and Warnings";
const MINIFILTER: &str = "Creating an INF File for a Minifilter Driver";
const PRIMITIVE: &str = "Creating a Primitive Driver";
const ADD_SERVICE: &str = "INF AddService Directive";
const ADD_REG: &str = "INF AddReg Directive";
const VERSION: &str = "INF Version Section";
const DESTINATIONS: &str = "INF DestinationDirs Section";
const SOURCES: &str = "INF SourceDisksFiles Section";
const STAMPINF: &str = "Stampinf Command Options";
const STRINGS: &str = "INF Strings Section";
const MODELS: &str = "INF Manufacturer Section";
const CLASSES: &str = "File System Filter Driver Classes and Class GUIDs";
const ALTITUDES: &str = "Load Order Groups and Altitudes for Minifilter Drivers";

/// The rules, with the codes that `InfVerif` was seen to report, and the codes that are only documented.
#[rustfmt::skip]
pub static RULES: &[(Rule, Check)] = &[
    // The file.
    rule("encoding", Must, &[], &[1003], CODES, "A file that is not ASCII is UTF-16 with a byte order mark.", sections::encoding),
    rule("plain-text", Should, &[], &[1003], CODES, "All lines have the same line ending, and values have no control characters.", sections::plain_text),
    rule("stampinf", Must, &[1274], &[], STAMPINF, "$ARCH$ is written in capitals.", sections::stampinf),
    rule("stampinf-in-values", Should, &[], &[1274], STAMPINF, "$ARCH$ occurs only in names of sections.", sections::stampinf_in_values),
    rule("strings-used", Should, &[], &[], STRINGS, "Each string is used.", sections::strings_used),
    // Sections and directives.
    rule("primitive", Must, &[], &[1420], PRIMITIVE, "There are no sections for devices.", sections::primitive),
    rule("sections-found", Must, &[1203, 1275, 2006], &[], CODES, "Each section that is named, and each that a driver package needs, exists.", sections::found),
    rule("sections-used", Must, &[2083], &[], CODES, "Each section is named by a directive.", sections::used),
    rule("sections-shared", Must, &[1205], &[1206], CODES, "A section has one purpose.", sections::shared),
    rule("key-once", Must, &[], &[1088], CODES, "No key occurs twice in a section, except directives that may be repeated.", sections::keys_once),
    rule("directives-allowed", Should, &[], &[1290], CODES, "A section has only entries that its documentation lists.", sections::directives_allowed),
    rule("directives-required", Must, &[1013, 1234], &[1234, 1289], MINIFILTER, "[Version] and the service have their required entries.", sections::directives_required),
    rule("directives-recommended", Should, &[], &[1289], MINIFILTER, "The service has a name and a description, and files are copied.", sections::directives_recommended),
    rule("values", Must, &[], &[1201], CODES, "An entry has no more values than are documented.", sections::values),
    rule("values-present", Should, &[], &[1006], CODES, "An entry has its required values.", sections::values_present),
    // The systems of a section. 1287 and 1288 are documented for [Models] sections, which have the same decorations.
    rule("architecture", Must, &[1421, 2083], &[1423], PRIMITIVE, "Install sections are decorated with an architecture.", sections::architecture),
    rule("architecture-current", Should, &[], &[], PRIMITIVE, "The architectures are those of Windows 11.", sections::architecture_current),
    rule("system-version", Must, &[], &[1287, 1288], MODELS, "The version in a section's name is valid.", sections::system_version),
    rule("layouts", Should, &[1323], &[], MINIFILTER, "One install section is for build 25952 and later, one for earlier systems.", sections::layouts),
    rule("services-sections", Must, &[2083], &[], "INF DefaultInstall.Services Section", "Each install section has its Services section.", sections::services_sections),
    // [Version]
    rule("signature", Must, &[], &[1001], VERSION, "Signature is \"$WINDOWS NT$\".", version::signature),
    rule("class", Must, &[1010, 1280, 1281], &[], CLASSES, "Class and ClassGuid name the same class.", version::class),
    rule("filter-class", Should, &[], &[], CLASSES, "The class is a class of file-system filters.", version::filter_class),
    rule("provider", Must, &[1204], &[], CODES, "The provider is not Microsoft.", version::provider),
    rule("driver-version", Must, &[1217, 1218], &[], "INF DriverVer Directive", "DriverVer is a date and four numbers below 65535.", version::driver_version),
    rule("catalog", Must, &[1213, 1214, 1233], &[], VERSION, "CatalogFile names a catalog, and no list of files does.", version::catalog),
    rule("pnp-lockdown", Must, &[1324], &[], VERSION, "PnpLockdown is 1.", version::pnp_lockdown),
    // Files.
    rule("destinations", Must, &[1100, 1275], &[], DESTINATIONS, "Each list of files has its destination.", files::destinations),
    rule("driver-store", Should, &[1322], &[], PRIMITIVE, "Files stay in the driver store, 13.", files::driver_store),
    rule("sources", Must, &[1008, 1230, 1273], &[], SOURCES, "Each file that is copied is listed, on a disk that is listed.", files::sources),
    rule("files-used", Should, &[], &[], SOURCES, "Each file, disk and destination that is listed is used.", files::used),
    rule("deleted-files", Must, &[1102], &[], "INF DelFiles Directive", "Nothing is deleted from the driver store.", files::deleted),
    rule("service-binary", Must, &[2085], &[2084], "InfVerif Error 2084", "ServiceBinary is a file that is copied.", files::service_binary),
    // The service.
    rule("service-name", Must, &[1253], &[], ADD_SERVICE, "The service has a name.", service::name),
    rule("service-flags", Should, &[], &[], ADD_SERVICE, "The service is not a function driver.", service::flags),
    rule("service-kind", Must, &[], &[], MINIFILTER, "The service is a file-system driver that depends on FltMgr.", service::kind),
    rule("error-control", Should, &[], &[], MINIFILTER, "ErrorControl is 1.", service::error_control),
    rule("start-type", Must, &[1013], &[], ADD_SERVICE, "StartType is 0 to 3.", service::start_type),
    rule("load-order-group", Must, &[], &[], "File System Filter Load Order", "LoadOrderGroup is the group of the class.", service::load_order_group),
    rule("same-service", Should, &[], &[1332, 1333], "InfVerif Error 1330 - 1333", "The install sections of one architecture install the same service.", service::same),
    rule("event-source", Should, &[], &[], ADD_SERVICE, "An event source has its messages and types, in each install section.", service::event_source),
    rule("legacy-uninstall", Must, &[1422], &[], PRIMITIVE, "A DefaultUninstall section has LegacyUninstall = 1.", service::legacy_uninstall),
    rule("uninstall", Should, &[], &[], "INF DelService Directive", "The service that was installed is stopped and removed.", service::uninstall),
    // The registry.
    rule("registry-root", Must, &[1224, 1321], &[], ADD_REG, "Values are written to HKR.", registry::root),
    rule("registry-types", Must, &[1267, 1268], &[1431], ADD_REG, "A value has a defined type, and a value that Windows reads has the documented type.", registry::types),
    rule("registry-once", Must, &[], &[1294], CODES, "A value is written once.", registry::once),
    rule("registry-paths", Must, &[1258], &[], CODES, "A path begins with %13% or an environment variable.", registry::paths),
    rule("parameters-key", Must, &[1323], &[], CODES, "From build 25952, the values of the service are below Parameters.", registry::parameters_key),
    rule("instances", Must, &[], &[], MINIFILTER, "Instances have an altitude and flags, one is the default, and they are below the key that the filter manager reads.", registry::instances),
    rule("supported-features", Should, &[], &[], MINIFILTER, "SupportedFeatures has only defined bits.", registry::supported_features),
    rule("altitude", Must, &[], &[], ALTITUDES, "An altitude is in the range of its load-order group.", registry::altitude),
];

const fn rule(
    name: &'static str,
    level: Level,
    seen: &'static [u16],
    documented: &'static [u16],
    document: &'static str,
    asks: &'static str,
    check: Check,
) -> (Rule, Check) {
    let rule = Rule {
        name,
        level,
        seen,
        documented,
        asks,
        document,
    };
    (rule, check)
}

/// The breaches of all rules.
#[must_use]
pub fn findings(inf: &Inf) -> Vec<Finding> {
    let package = Package::of(inf);
    let mut findings = Vec::new();
    for (rule, check) in RULES {
        findings.extend(check(&package).into_iter().map(|breach| Finding {
            rule,
            line: breach.line,
            code: breach.code,
            text: breach.text,
        }));
    }
    findings
}
