//! Errors of the command line give exit status 2 and a reason, and never contain the key.

use crate::common::{ID, KEY, TempFile, finish, run, rustuya};

const SIMULATE: &[&str] = &["simulate", "--version", "3.3", "--id", ID, "--port", "0"];

#[track_caller]
fn refused(args: &[&str], words: &[&str]) {
    let done = run(args);
    done.failed(2, words);
    assert!(done.stdout.is_empty(), "{done:?}");
}

#[test]
fn nothing_and_nonsense() {
    for args in [&[][..], &["frobnicate"], &["get"], &["set"], &["watch"], &["simulate"], &["demo", "now"]] {
        refused(args, &["Usage"]);
    }
}

#[test]
fn devices_and_addresses() {
    refused(&["get", "no such id", "--address", "127.0.0.1"], &["ID: an id must be"]);
    refused(&["get", ID, "--cid", "a b", "--address", "127.0.0.1"], &["--cid: an id must be"]);
    refused(&["get", ID, "--address", "127.0.0.1:99999"], &["--address"]);
    refused(&["get", ID, "--address", "127.0.0.1", "--version", "3.6"], &["3.1, 3.2, 3.3, 3.4, 3.5"]);
    refused(&["get", ID, "--timeout", "0"], &["number of seconds"]);
    refused(&["get", ID, "--timeout", "1e300"], &["number of seconds"]);
    refused(&["get", ID, "--discovery-ports", "1,2"], &["three port numbers"]);
    refused(&["watch", ID, "another", "--address", "127.0.0.1"], &["--devices for several"]);
    refused(&["watch", ID, "--count", "0"], &["--count"]);
    refused(&["get", ID, "--dp", "1,switch", "--address", "127.0.0.1"], &["--dp", "from 0 to 65535"]);
    refused(&["get", ID, "--dialect", "22", "--address", "127.0.0.1"], &["--dialect", ": must be default, device22"]);
    refused(&["get", ID, "--dp", "65536", "--address", "127.0.0.1"], &["--dp", "from 0 to 65535"]);
}

#[test]
fn files_of_devices() {
    for subcommand in [&["get", "--all"][..], &["set", "--all", "1=true"], &["watch", "--all"]] {
        refused(subcommand, &["--devices"]);
        refused(&[subcommand, &["--devices", "x", "--cid", "c1"]].concat(), &["--cid"]);
    }
    refused(&["get", ID, "--all", "--devices", "x"], &["--all"]);
    refused(&["watch", ID, "--all", "--devices", "x"], &["--all"]);
    refused(&["set", ID, "1=true", "--all", "--devices", "x"], &["--all takes no ids"]);
    refused(&["get", ID, "another", "--address", "127.0.0.1"], &["--devices for several"]);
    let empty = TempFile::new("empty.json", b"[]");
    run(&["get", "--all", "--devices", empty.path()]).failed(1, &["lists no devices"]);
    let one = TempFile::new("one.json", br#"[{"id":"bf0123456789abcd0001","key":"0123456789abcdef","name":"lamp"}]"#);
    let mut keyless = rustuya(&["get", "lmp", "--devices", one.path()]);
    keyless.env_remove("RUSTUYA_KEY");
    finish(keyless).failed(2, &["does not list lmp"]);
    // Refused because of the second id, so that no search begins.
    refused(&["get", "lmp", "no such id", "--devices", one.path()], &["lmp: --devices does not list it"]);
    let other = TempFile::new("other.json", b"{}");
    run(&["get", "--all", "--devices", other.path()]).failed(1, &["no list of devices", "tinytuya"]);
}

#[test]
fn scans() {
    for args in [["--timeout", "0"], ["--bind", "::1"], ["--broadcast", "here"], ["--probe", "127.0.0.1"]] {
        refused(&[&["scan"][..], &args].concat(), &[args[0]]);
    }
    refused(&["scan", "--probe", "127.0.0.1:7", "--broadcast", "127.0.0.1"], &["--broadcast"]);
    refused(&["simulate", "--version", "3.5", "--id", ID, "--answer-port", "7"], &["--answer-probes"]);
    refused(&["replay"], &["Usage"]);
}

/// Asks for the candidates of the last word, as bash does.
fn completed(words: &[&str]) -> Vec<String> {
    let mut command = rustuya(&["--", "rustuya"]);
    command.args(words).env("_RUSTUYA_COMPLETE", "bash").env("_CLAP_IFS", "\n");
    command.env("_CLAP_COMPLETE_INDEX", words.len().to_string());
    let done = finish(command);
    done.succeeded();
    done.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn completions_know_every_subcommand_and_option() {
    let subcommands = completed(&[""]);
    for word in ["demo", "scan", "get", "set", "entities", "watch", "replay", "simulate", "decode", "session-key"] {
        assert!(subcommands.iter().any(|candidate| candidate == word), "{word}: {subcommands:?}");
    }
    assert_eq!(completed(&["simulate", "--answer-p"]), ["--answer-probes", "--answer-port"]);
    assert_eq!(completed(&["watch", "--record-p"]), ["--record-payloads"]);
    assert_eq!(completed(&["simulate", "--profile", "towel"]), ["towel-rack"]);
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let done = run(&["completions", shell]);
        done.succeeded();
        assert!(done.stdout.contains("_RUSTUYA_COMPLETE"), "{shell}: {done:?}");
    }
    refused(&["completions", "tcsh"], &["bash, elvish, fish, powershell, zsh"]);
    refused(&["completions"], &["SHELL"]);
}

#[test]
fn completions_know_devices_and_what_they_can_be_set_to() {
    let list = r#"[{"id":"bf0123456789abcdefgh","name":"Desk lamp","key":"0123456789abcdef","category":"dj","mapping":
        {"20":{"code":"switch_led","type":"Boolean","values":{}},
         "22":{"code":"bright_value_v2","type":"Integer","values":{"min":10,"max":1000}}}},
        {"id":"eb0123456789abcdefgh","name":"heater","key":"0123456789abcdef"}]"#;
    let file = TempFile::new("completed.json", list.as_bytes());
    let with = |words: &[&str]| completed(&[&["set", "--devices", file.path()], words].concat());
    assert_eq!(with(&["h"]), ["heater"]);
    assert_eq!(with(&["De"]), ["'Desk lamp'"]);
    assert_eq!(with(&["'Desk lamp'", "br"]), ["brightness="]);
    assert_eq!(with(&["Desk\\ lamp", "p"]), ["power="]);
    assert!(with(&["heater", "br"]).is_empty());
    assert_eq!(completed(&["get", "--devices", file.path(), "he"]), ["heater"]);
    assert!(completed(&["get", "--devices", "/nonexistent", "he"]).is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn bash_understands_its_completions() {
    let script = TempFile::new("completions.bash", run(&["completions", "bash"]).stdout.as_bytes());
    let line = format!("source {}; complete -p rustuya", script.path());
    let bash = std::process::Command::new("bash").args(["--norc", "-c", &line]).output().expect("bash exists");
    assert!(bash.status.success() && bash.stderr.is_empty(), "{bash:?}");
}

#[test]
fn values() {
    for bad in ["switch=true", "1", "=true", "70000=1", "-1=1"] {
        refused(&["set", "--address", "127.0.0.1", ID, "--", bad], &["DP=VALUE"]);
    }
    refused(&["set", ID], &["nothing to set", "DP=VALUE"]);
    refused(&["set", ID, "1=true", "1=false"], &["DP 1 is given twice"]);
}

#[test]
fn virtual_devices() {
    let with = |args: &[&'static str]| [SIMULATE, args].concat();
    refused(&with(&["--dps", "[1]"]), &["--dps: must be a JSON object of DPs"]);
    let fraction = run(&with(&["--strict", "--dps", r#"{"2":1.5}"#]));
    fraction.failed(2, &["DP 2", "no real device could have this"]);
    assert!(!fraction.stderr.contains("listen"), "{fraction:?}");
    refused(&with(&["--dps", r#"{"switch":true}"#]), &["--dps: must be a JSON object of DPs"]);
    refused(&with(&["--sub", r#"{"1":true}"#]), &["--sub: must be CID=JSON"]);
    refused(&with(&["--sub", "c1=5"]), &["--sub: must be a JSON object"]);
    refused(&with(&["--quirk", "loud"]), &["--quirk loud: unknown quirk", "push-before-ack", "close-after"]);
    refused(&with(&["--quirk", "delay-ms"]), &["--quirk delay-ms: unknown quirk"]);
    refused(&["simulate", "--version", "auto", "--id", ID], &["3.1, 3.2, 3.3, 3.4, 3.5"]);
}

#[test]
fn help_lists_the_quirks() {
    let done = run(&["simulate", "--help"]);
    done.succeeded();
    for words in ["push-before-ack", "delay-ms=N", "answer under a wrong key", "Other users of this machine can see it"]
    {
        assert!(done.stdout.contains(words), "{words}: {}", done.stdout);
    }
    let help = run(&["get", "--help"]);
    help.succeeded();
    assert!(help.stdout.contains("Other users of this machine can see it"), "{}", help.stdout);
}

#[test]
fn keys_that_are_none_are_not_repeated() {
    let args = ["get", ID, "--address", "127.0.0.1"];
    let without = |extra: &[&str], variable: Option<&str>| {
        let mut command = rustuya(&args);
        command.args(extra).env_remove("RUSTUYA_KEY");
        if let Some(value) = variable {
            command.env("RUSTUYA_KEY", value);
        }
        finish(command)
    };
    without(&[], None).failed(2, &["no local key", "RUSTUYA_KEY", "--key-file"]);
    without(&[], Some("")).failed(2, &["no local key"]);
    let short = without(&[], Some("hunter2hunter2"));
    short.failed(2, &["RUSTUYA_KEY: a local key is exactly 16 characters"]);
    assert!(!short.stderr.contains("hunter2"), "{short:?}");
    let long = without(&["--key", "hunter2hunter2hunter2"], None);
    long.failed(2, &["--key: a local key is exactly 16 characters"]);
    assert!(!long.stderr.contains("hunter2"), "{long:?}");
    for (text, words) in [
        (&b"hunter2hunter2"[..], "and this is 14: "),
        (b"\xef\xbb\xbfhunter2&amp;hunter2\r\n", "this is 19 because it is HTML-escaped"),
        ("hunter2\u{201c}hunter2".as_bytes(), "and this is 15: "),
        ("hunter2\u{201c}hunter20".as_bytes(), "character 8 of this"),
        (b"hunter2\xe4", "UTF-16 at line 1, column 8"),
        (b"", "and this is 0: "),
    ] {
        let file = TempFile::new("none.key", text);
        let told = without(&["--key-file", file.path()], None);
        told.failed(2, &["--key-file: ", words]);
        assert!(!told.stderr.contains("hunter"), "{told:?}");
    }
    // A path without a file may be the key.
    let key_as_file = without(&["--key-file", "hunter2hunter2ab"], None);
    key_as_file.failed(1, &["--key-file: the file cannot be read"]);
    assert!(!key_as_file.stderr.contains("hunter2"), "{key_as_file:?}");
    without(&["--key-file", "/nonexistent/key", "--key", KEY], None).failed(2, &["--key-file"]);
}

#[test]
fn a_possible_key_in_another_place_is_not_repeated() {
    const STRAY: &str = "hunter2hunter2ab";
    let one = TempFile::new("stray.json", br#"[{"id":"bf0123456789abcd0001","key":"0123456789abcdef","name":"lamp"}]"#);
    let quiet = ["--discovery-ports", "0,0,0", "--timeout", "0.1"];
    let in_file = ["--devices", one.path()];
    for (args, code) in [
        (&["set", ID, "1=true", STRAY][..], 2),
        (&["set", STRAY, "--all", "--devices", "x", "1=true"], 2),
        (&["simulate", "--version", "3.3", "--id", ID, "--quirk", STRAY], 2),
        (&["simulate", "--version", "3.3", "--id", ID, "--sub", "c1={}", "--offline", STRAY], 2),
        (&[&["scan", "--find", STRAY][..], &quiet].concat(), 1),
        (&[&["scan", "--network", "127.0.0.9/32", "--port", "9", "--find", STRAY][..], &quiet[..2]].concat(), 1),
        (&[&["get", STRAY][..], &quiet].concat(), 1),
        (&[&["get", STRAY][..], &in_file, &quiet].concat(), 1),
        (&[&["set", "lamp", STRAY, "1=true"][..], &in_file, &quiet].concat(), 1),
        (&[&["watch", STRAY, "--for", "0.1"][..], &quiet].concat(), 1),
    ] {
        let done = run(args);
        done.failed(code, &["may be a local key"]);
        assert!(!done.stderr.contains(STRAY), "{args:?}: {done:?}");
    }
}
