//! The guides are complete: every error has its text and its reason in `docs/errors.md`, every guide is in the index.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use rustuya_record::RecordErrorKind;
use rustuya_runtime_tokio::proto::{InvalidId, InvalidKey, SendError, UnknownQuirk, UnknownVersion, WriteError};
use rustuya_runtime_tokio::{AddError, CommandError, ConfigError, DevicesFileError, DownReason, Version, text};
use rustuya_virtual_device::SimulationError;
use serde_json::json;

const ERRORS: &str = include_str!("../../docs/errors.md");
const CORE: &str = include_str!("../../proto/src/device/event.rs");
const RUNTIME: &str = include_str!("../../runtime/src/report/error.rs");
const FLEET: &str = include_str!("../../runtime/src/fleet/error.rs");
const DEVICES_FILE: &str = include_str!("../../runtime/src/devices_file/error.rs");
const RECORD: &str = include_str!("../../record/src/error.rs");
const SIMULATION: &str = include_str!("../../virtual-device/src/error.rs");

/// The names of an enum's variants, from its source: the enums are open, so no `match` here can list them all.
fn variants(source: &str, name: &str) -> BTreeSet<String> {
    let body = source.split_once(&format!("pub enum {name} {{\n")).expect("is there").1;
    let body = body.split_once("\n}").expect("ends").0;
    let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
    let names = lines.filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()));
    names.map(|line| line.chars().take_while(char::is_ascii_alphanumeric).collect()).collect()
}

/// Returns whether the rows of `docs/errors.md` have exactly the variants of the enum, each with the text of its value.
fn explained(source: &str, name: &str, values: &[(&str, String, &str)]) {
    let known = variants(source, name);
    assert!(!known.is_empty(), "{name}");
    let given: BTreeSet<String> = values.iter().map(|(variant, _, _)| (*variant).to_owned()).collect();
    assert_eq!(known, given, "variants of {name}, and those that this test knows");
    let section = ERRORS.split_once(&format!("\n`{name}`")).unwrap_or_else(|| panic!("{name} is not explained")).1;
    let table = section.split_once("|---").expect("has a table").1;
    let table = table.split_once("\n\n").map_or(table, |(table, _)| table);
    for (variant, text, advice) in values {
        let starts = format!("| `{variant}`");
        let row = table.lines().find(|row| row.starts_with(&starts) && row.contains(text.as_str()));
        let row = row.unwrap_or_else(|| panic!("{name}::{variant} is not explained with its text `{text}`"));
        assert!(row.contains(advice), "{name}::{variant} is not explained with its advice `{advice}`");
    }
    let rows = table.lines().filter(|row| row.starts_with("| `")).count();
    assert_eq!(rows, values.len(), "rows about {name}");
}

/// The text of an error in backticks, as the guide has it, and the name of its variant.
fn told(error: &(impl core::error::Error + ?Sized)) -> (String, String) {
    let debug = format!("{error:?}");
    let variant = debug.chars().take_while(char::is_ascii_alphanumeric).collect();
    (variant, format!("`{error}`"))
}

fn check<E: core::error::Error>(source: &str, name: &str, errors: &[E]) {
    let told: Vec<_> = errors.iter().map(told).collect();
    let values: Vec<_> = told.iter().map(|(variant, text)| (variant.as_str(), text.clone(), "")).collect();
    explained(source, name, &values);
}

#[test]
fn every_reason_is_explained_with_its_advice() {
    let reasons = [
        DownReason::Unreachable,
        DownReason::Refused,
        DownReason::Busy,
        DownReason::Silent,
        DownReason::WrongKey { sure: true },
        DownReason::WrongKey { sure: false },
        DownReason::WrongVersion { speaks: Some(Version::V34) },
        DownReason::WrongVersion { speaks: None },
        DownReason::TooOld { version: Version::V31 },
        DownReason::LeftOut { version: Version::V34 },
        DownReason::KeyOrVersion,
        DownReason::PeerClosed,
        DownReason::Unresponsive,
        DownReason::Garbage,
        DownReason::Unresolved,
        DownReason::OutOfDescriptors,
        DownReason::Relayed,
        DownReason::Ended,
    ];
    let names = reasons.map(|reason| format!("{reason:?}"));
    let values: Vec<_> = reasons
        .iter()
        .zip(&names)
        .map(|(reason, name)| {
            let variant = name.split(' ').next().unwrap_or_default();
            (variant, format!("`{reason}`"), reason.advice())
        })
        .collect();
    explained(CORE, "DownReason", &values);
}

#[test]
fn every_error_of_a_command_is_explained() {
    let reason = DownReason::Ended;
    let dps = |dps: serde_json::Value| Box::new(dps.as_object().expect("is an object").clone());
    let (wanted, shown) = (dps(json!({ "1000": 7, "1001": 7 })), dps(json!({ "1000": 8 })));
    let errors = [
        CommandError::Rejected { retcode: Some(1), text: "<its words>".into() },
        CommandError::NoAnswer,
        CommandError::Unanswered,
        CommandError::NoEffect { wanted, shown },
        CommandError::Partial {
            acknowledged: vec![1000],
            uncertain: vec![1000],
            failed: vec![1000],
            cause: CommandError::Unanswered.into(),
        },
        CommandError::AnswerTooLarge { len: 1000, limit: 2000 },
        CommandError::ConnectionLost { reason },
        CommandError::NotConnected { reason: Some(reason) },
        CommandError::Busy,
        CommandError::SubDeviceOffline,
        CommandError::Closed,
        CommandError::RuntimeGone,
        CommandError::TooLarge,
        CommandError::InvalidDp("<text>".into()),
        CommandError::InvalidValue("<why>".into()),
        CommandError::Invalid(SendError::InvalidData),
    ];
    let told: Vec<_> = errors.iter().map(told).collect();
    let general = |text: &str| {
        let text = text.replace(&reason.to_string(), "<reason>").replace(reason.advice(), "<advice>");
        let text = text.replace(&format!(": {}", CommandError::Unanswered), ": <why>");
        let text = text.replace("is 8, not 7", "is <value>, not <value>").replace("2000", "<limit>");
        text.replace("1000", "<n>").replace("1001", "<n>")
    };
    let values: Vec<_> = told.iter().map(|(variant, text)| (variant.as_str(), general(text), "")).collect();
    explained(RUNTIME, "CommandError", &values);
    let unknown = CommandError::NotConnected { reason: None }.to_string();
    assert!(ERRORS.contains(&unknown), "{unknown}");
}

#[test]
fn every_error_of_a_description_is_explained() {
    let config = [
        ConfigError::Id(InvalidId),
        ConfigError::Key(InvalidKey::Length { len: 0 }),
        ConfigError::Version(UnknownVersion),
        ConfigError::Address,
        ConfigError::SubDevice,
    ];
    check(RUNTIME, "ConfigError", &config);
    let texts = [
        ("DuplicateDevice", format!("`{}`", AddError::DuplicateDevice), ""),
        ("Conflict", format!("`{}`", AddError::Conflict), ""),
        ("Closed", format!("`{}`", AddError::Closed), ""),
        ("Config", "that of the `ConfigError` below".into(), ""),
        ("Discovery", format!("`{}`", AddError::Discovery(io::ErrorKind::AddrInUse.into())), ""),
    ];
    assert_eq!(AddError::Config(ConfigError::Address).to_string(), ConfigError::Address.to_string());
    explained(FLEET, "AddError", &texts);
}

#[test]
fn every_error_of_a_file_is_explained() {
    let numbered = |text: String| text.replace("1000", "<n>");
    let file = [
        DevicesFileError::Io(io::ErrorKind::NotFound.into()),
        DevicesFileError::Write(io::ErrorKind::PermissionDenied.into()),
        text::decode(&["\n".repeat(999).as_bytes(), &b" ".repeat(999), b"\xff"].concat()).expect_err("no text").into(),
        DevicesFileError::Utf16,
        DevicesFileError::NotJson { line: 1000, column: 1000, kind: "<what>" },
        DevicesFileError::NoList,
        DevicesFileError::Ambiguous("<name>".into()),
    ];
    let json = serde_json::from_str::<bool>("x").expect_err("is not JSON");
    let record = [
        RecordErrorKind::Io(io::ErrorKind::NotFound.into()),
        RecordErrorKind::NoRecord,
        RecordErrorKind::Format(1000),
        RecordErrorKind::Malformed(json),
        RecordErrorKind::TooLong(1000),
        RecordErrorKind::Value("<what>"),
        RecordErrorKind::Time,
        RecordErrorKind::UnknownDevice(1000),
        RecordErrorKind::TooManyDevices(1000),
        RecordErrorKind::KeyNeeded(1000),
    ];
    let told_file: Vec<_> = file.iter().map(told).collect();
    let told_record: Vec<_> = record.iter().map(told).collect();
    for (source, name, told) in
        [(DEVICES_FILE, "DevicesFileError", told_file), (RECORD, "RecordErrorKind", told_record)]
    {
        let values: Vec<_> = told.iter().map(|(name, text)| (name.as_str(), numbered(text.clone()), "")).collect();
        explained(source, name, &values);
    }
    let simulation = [
        SimulationError::Id(InvalidId),
        SimulationError::Key(InvalidKey::Length { len: 0 }),
        SimulationError::Quirk(UnknownQuirk),
        SimulationError::Dps,
        SimulationError::Schema { dp: None },
        SimulationError::Impossible { dp: 7, what: "null" },
        SimulationError::Value { dp: 7, why: WriteError::Range },
        SimulationError::UnknownSub,
    ];
    check(SIMULATION, "SimulationError", &simulation);
}

#[test]
fn the_variants_of_an_enum_are_found_in_its_source() {
    let source = "/// An enum.\npub enum Other {\n    X,\n}\npub enum Some {\n    /// One.\n    #[error(\"one\")]\n    One,\n    \
                  Two {\n        /// Inner.\n        Three: u8,\n    },\n    Four(Five),\n}\n";
    let found: Vec<String> = variants(source, "Some").into_iter().collect();
    assert_eq!(found, ["Four", "One", "Two"]);
}

#[test]
fn every_guide_is_in_the_index() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let index = fs::read_to_string(docs.join("README.md")).expect("an index");
    let tested = include_str!("../src/guides.rs");
    let mut guides = 0;
    for entry in fs::read_dir(&docs).expect("a folder") {
        let name = entry.expect("can be read").file_name().into_string().expect("is text");
        if name.ends_with(".md") && name != "README.md" {
            assert!(index.contains(&format!("]({name})")), "{name} is not in the index");
            let text = fs::read_to_string(docs.join(&name)).expect("can be read");
            let mut programs = text.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next());
            let has_programs = programs.any(|program| program.contains("rustuya_runtime_tokio"));
            assert_eq!(tested.contains(&name), has_programs, "{name} and the list of compiled guides");
            guides += 1;
        }
    }
    assert!(guides >= 6);
}
