//! `docs/security.md` names tests; they must exist.

#![cfg(test)]

use std::{fs, path::PathBuf};

#[test]
fn every_test_that_the_threat_model_names_exists() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
    let document = read("docs/security.md");
    let rows: Vec<&str> = document.lines().filter(|line| line.starts_with("| ")).collect();
    assert!(rows.len() > 30, "the tables are there");
    let mut missing = Vec::new();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [threat, _answer, tests] = cells[..] else { panic!("a row has three cells: {row}") };
        let named: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        let is_heading = threat == "threat";
        if named.is_empty() && !is_heading && !tests.starts_with("none") {
            missing.push(format!("no test for {threat}"));
        }
        for name in named {
            let (path, test) = name.split_once("::").unwrap_or((name, ""));
            let text = read(path);
            let found = match path.rsplit_once('.') {
                Some((_, "rs")) => text.contains(&format!("fn {test}(")),
                _ => !text.is_empty() && text.contains(test),
            };
            if !found {
                missing.push(name.to_owned());
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}
