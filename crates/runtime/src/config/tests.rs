use truststream_engines::auth::AuthSettings;
use truststream_engines::storage::StorageSettings;

use super::*;

fn load(text: &str) -> Result<Config> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("truststream.toml"), text).unwrap();
    Config::load(folder.path(), &LoadOptions::default())
}

#[test]
fn without_a_file_the_embedded_backend_serves() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::load(folder.path(), &LoadOptions::default()).unwrap();
    assert_eq!(config.file.active, "main");
    assert!(config.file.backend.contains_key("main"));
}

#[test]
fn an_error_names_file_line_and_what_was_expected() {
    for (text, line, expected) in [
        ("active = \"main\"\n\n[switch]\nhold = \"soon\"\n", 4, "expected a number with ms, s, m or h"),
        ("[switch]\nholds = \"1s\"\n", 2, "unknown field `holds`, expected one of"),
        ("[switch]\nrollback_window = \"a day\"\n", 2, "expected a number with ms, s, m or h"),
        ("[switch]\nstrategy = \"green-blue\"\n", 2, "expected one of `blue-green`, `immediate`, `gradual`"),
        ("[switch]\nchunk = 9\nverify = \"some\"\n", 3, "expected one of `none`, `sample`, `full`"),
        ("\nactive = \"cloud\"\n[backend.main]\n", 2, "no backend `cloud`; expected one of main"),
        ("[backend.main]\ndatabase = \"sqlite\"\n", 2, "expected a map"),
        ("[backend\n", 1, ""),
        ("\n[realtime]\nenabled = false\n", 2, "unknown field `realtime`, expected one of"),
        ("rest = 1\n", 1, "expected a table"),
        (
            "[backend.main.mirror]\nreads = true\nto = \"spare\"\n",
            3,
            "no backend `spare`; expected one of main",
        ),
        ("[backend.main.mirror]\nto = \"main\"\n", 2, "a backend is no mirror of itself"),
        ("[backend.main.mirror]\nreads = true\n", 1, "missing field `to`"),
        (
            "[backend.spare]\n[backend.main.mirror]\nto = \"spare\"\nfailover = \"soon\"\n",
            4,
            "expected a number with ms, s",
        ),
        ("[health.breaker]\nfailure = 3\n", 2, "unknown field `failure`, expected one of `failures`"),
        ("active = \"${NO_SUCH_VARIABLE}\"", 1, "the variable `NO_SUCH_VARIABLE` is not set"),
    ] {
        let error = load(text).unwrap_err();
        assert_eq!(error.code(), "BACKEND_002");
        assert!(error.message().contains(&format!("truststream.toml:{line}: ")), "{error} for {text}");
        assert!(error.message().contains(expected), "{error} for {text}");
    }
}

#[test]
fn a_profile_lies_over_the_file_and_errors_name_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("truststream.toml"), "[switch]\nhold = \"3s\"\nchunk = 5\n").unwrap();
    let profile = folder.path().join("truststream.ci.toml");
    std::fs::write(&profile, "[switch]\nchunk = 7\n").unwrap();
    let options = LoadOptions { profile: Some("ci".to_owned()), ..LoadOptions::default() };
    let config = Config::load(folder.path(), &options).unwrap();
    assert_eq!((config.file.switch.hold, config.file.switch.chunk), (Duration::from_secs(3), 7));
    std::fs::write(&profile, "\n\n[switch]\nchunk = \"many\"\n").unwrap();
    let error = Config::load(folder.path(), &options).unwrap_err();
    assert!(error.message().contains("truststream.ci.toml:4: "), "{error}");
}

#[test]
fn faults_are_refused_outside_of_development_unless_they_are_meant() {
    let fault = "rules = [{ error = \"unavailable\", rate = 0.5 }]\n";
    for table in ["layers.faults", "backend.main.faults"] {
        let text = format!("[{table}]\n{fault}");
        let error = load(&text).unwrap_err();
        assert_eq!(error.code(), "BACKEND_002");
        assert!(error.message().contains(&format!("{table}: faults are for development")), "{error}");
        load(&format!("{text}allow_in_production = true\n")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("truststream.toml"), &text).unwrap();
        let options = LoadOptions { development: true, ..LoadOptions::default() };
        Config::load(folder.path(), &options).unwrap();
    }
    let error = load("[backend.main.faults]\nrules = [{ error = \"boom\" }]\n").unwrap_err();
    assert!(error.message().contains("no kind of error is named `boom`"), "{error}");
}

#[test]
fn a_supabase_project_is_understood_in_development_only() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("supabase")).unwrap();
    let text = "project_id = \"x\"\n[api]\nmax_rows = 17\n[auth]\njwt_expiry = 60\n[auth.rate_limit]\n\
                email_sent = 2\ntoken_refresh = 9\n[storage.buckets.images]\npublic = true\n[studio]\nport = 1\n";
    std::fs::write(folder.path().join("supabase/config.toml"), text).unwrap();
    let read = |development| {
        let options = LoadOptions { development, ..LoadOptions::default() };
        Config::load(folder.path(), &options).unwrap()
    };
    let rest = |config: &Config| config.section::<toml::Table>("rest").unwrap();
    let (development, production) = (read(true), read(false));
    assert_eq!(rest(&development).get("max_rows").and_then(toml::Value::as_integer), Some(17));
    // What it says besides is for other programs.
    assert_eq!(development.section::<AuthSettings>("auth").unwrap().rate_limit.token_refresh, 9);
    assert!(development.section::<StorageSettings>("storage").is_ok());
    assert!(rest(&production).is_empty());
}

#[test]
fn what_a_section_does_not_know_is_refused() {
    let config = load("[storage]\nbuckets = 1\n\n[auth.rate_limit]\nsign_ups = 1\n").unwrap();
    let refused = [
        (config.section::<StorageSettings>("storage").unwrap_err(), "unknown field `buckets`"),
        (config.section::<AuthSettings>("auth").unwrap_err(), "unknown field `sign_ups`"),
    ];
    for (error, expected) in refused {
        assert!(error.code() == "BACKEND_002" && error.message().contains(expected), "{error}");
    }
}
