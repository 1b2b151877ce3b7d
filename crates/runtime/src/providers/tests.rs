use super::*;

fn config(text: &str) -> Config {
    Config::from_text(std::path::Path::new("/project"), text).unwrap()
}

#[test]
fn a_provider_that_there_is_not_is_refused_with_all_that_there_are() {
    for (table, names) in [
        ("database = { provider = \"oracle\" }", "sqlite, postgres, memory, supabase"),
        ("storage = { provider = \"oracle\" }", "fs, memory, s3, supabase"),
        ("auth = { provider = \"oracle\" }", "native, supabase"),
    ] {
        let error = config(&format!("[backend.main]\n{table}\n")).check_providers().unwrap_err();
        assert_eq!(error.code(), "BACKEND_001");
        let expected = format!("provider: there is none named `oracle`; expected one of {names}");
        assert!(error.message().contains(&expected), "{error}");
        assert!(error.message().contains("configuration:2: "), "{error}");
    }
}

#[test]
fn a_provider_that_is_not_a_text_is_refused() {
    let error = config("[backend.main]\ndatabase = { provider = 1 }\n").check_providers().unwrap_err();
    assert!(error.message().contains("provider: expected a text, one of sqlite"), "{error}");
}

#[cfg(not(feature = "s3"))]
#[test]
fn a_provider_that_is_not_built_says_how_to_build_it() {
    let error = config("[backend.main]\nstorage = { provider = \"s3\", bucket = \"b\" }\n");
    let error = error.check_providers().unwrap_err();
    assert!(error.message().ends_with("provider: `s3` is not in this build"), "{error}");
    assert_eq!(error.hint(), Some("build with `--features s3`"));
}

#[test]
fn settings_are_checked_with_those_of_other_sections() {
    let postgres = "[backend.main]\ndatabase = { provider = \"postgres\", url = \"postgres://host\" }\n";
    config(&format!("{postgres}[rest]\nextra_search_path = [\"one\"]\n")).check_providers().unwrap();
    let error = config(&format!("{postgres}[rest]\nextra_search_path = 1\n")).check_providers().unwrap_err();
    assert_eq!(error.code(), "BACKEND_002");
    let wrong = config("[backend.main]\ndatabase = { provider = \"sqlite\", pth = \"x\" }\n");
    let error = wrong.check_providers().unwrap_err();
    assert!(error.message().contains("configuration:2: unknown field `pth`"), "{error}");
}

#[test]
fn every_service_begins_with_a_default_that_needs_nothing() {
    let found = capabilities();
    for service in ["database", "objects", "auth"] {
        let first = found.iter().find(|one| one.service == service).unwrap();
        assert_eq!(first.build_feature, None, "{first:?}");
        assert!(first.declared.is_some());
    }
}
