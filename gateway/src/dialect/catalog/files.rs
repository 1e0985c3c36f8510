//! Which files there are to be loaded.

use std::{borrow::Cow, fs, path::Path};

use super::super::{
    Mistake,
    shipped::{NATIVE, Shipped},
    table,
};

/// What is to be loaded.
#[derive(Debug, Clone, Copy)]
pub struct Selection<'a> {
    /// The dialects of applications that come with the gateway, by name; `all` is every one.
    pub shipped: &'a [String],
    /// A folder with files of the operator's own.
    pub folder: Option<&'a Path>,
    /// The name of the one for `/` when the handshake says nothing.
    pub default: &'a str,
}

/// A file as it was read.
#[derive(Debug)]
pub(in crate::dialect) struct File {
    pub(in crate::dialect) name: Cow<'static, str>,
    pub(in crate::dialect) text: Cow<'static, str>,
}

/// The gateway's own dialect, those of applications that are chosen, and every `*.toml` of the folder, in the order of their
/// names. A file of the folder takes the place of the application's file with the same dialect.
pub(super) fn read(selection: Selection<'_>, mistakes: &mut Vec<Mistake>) -> Vec<File> {
    let chosen = Shipped::chosen(selection.shipped, mistakes);
    let own = selection.folder.map(read_folder).transpose().unwrap_or_else(|mistake| {
        mistakes.push(mistake);
        None
    });
    let own = own.unwrap_or_default();
    let replaced = |shipped: &Shipped| own.iter().any(|file| table::names(&file.text, shipped.name));
    let shipped = [NATIVE].into_iter().chain(chosen.into_iter().filter(|shipped| !replaced(shipped)));
    let shipped = shipped.map(|shipped| File { name: shipped.file.into(), text: shipped.text.into() });
    let mut files: Vec<File> = shipped.collect();
    files.extend(own);
    files
}

fn read_folder(folder: &Path) -> Result<Vec<File>, Mistake> {
    let unreadable = |path: &Path, error: &std::io::Error| Mistake {
        file: path.display().to_string(),
        key: String::new(),
        problem: format!("cannot be read: {error}"),
        hint: None,
    };
    let entries = fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| unreadable(folder, &error))?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
            Ok(File { name: path.display().to_string().into(), text: text.into() })
        })
        .collect()
}
