//! The modules of each crate use each other in one direction, so that each can be read after those below it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// The code of each module right below a crate's root; that of the root is `lib`.
type Modules = BTreeMap<String, String>;

fn read(module: &str, path: &Path, modules: &mut Modules) {
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let module = if module.is_empty() { name } else { module };
        if name == "tests" {
            // Tests may use whatever they test with.
        } else if path.is_dir() {
            read(module, &path, modules);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            modules.entry(module.to_owned()).or_default().extend(lines);
        }
    }
}

/// The paths of a use tree: `a::{b, c::{d, e}}` is `a::b`, `a::c::d` and `a::c::e`.
fn paths(tree: &str) -> Vec<String> {
    let Some((head, members)) = tree.split_once('{') else {
        return vec![tree.trim().to_owned()];
    };
    let mut depth = 0;
    let members = members.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        (c == ',' && depth == 0) || depth < 0
    });
    let within = members.filter(|member| !member.trim().is_empty()).flat_map(paths);
    within.map(|path| format!("{}{path}", head.trim())).collect()
}

/// What each module uses of the others, which it names by `crate::`.
fn uses(modules: &Modules) -> BTreeSet<(&str, &str)> {
    let lib = modules.get("lib").map_or("", String::as_str);
    let exported =
        lib.split("use self::").skip(1).flat_map(|at| paths(at.split(';').next().unwrap()));
    let home: BTreeMap<_, _> = exported
        .filter_map(|path| {
            let (module, item) = (path.split("::").next()?, path.rsplit("::").next()?);
            Some((item.to_owned(), modules.get_key_value(module)?.0.as_str()))
        })
        .collect();
    let mut uses = BTreeSet::new();
    for (module, code) in modules.iter().filter(|(module, _)| *module != "lib") {
        for rest in code.split("crate::").skip(1) {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_'));
            let tree =
                if rest.starts_with('{') { rest } else { &rest[..end.unwrap_or(rest.len())] };
            for path in paths(tree.split(';').next().unwrap()) {
                let name = path.split("::").next().unwrap();
                let known = modules.get_key_value(name).map(|(used, _)| used.as_str());
                let used = known.or_else(|| home.get(name).copied());
                uses.extend(used.filter(|used| used != module).map(|used| (module.as_str(), used)));
            }
        }
    }
    uses
}

/// Of these uses those that are in a circle, or between two: neither end of them is an end of all.
fn circles<'a>(mut uses: BTreeSet<(&'a str, &'a str)>) -> BTreeSet<(&'a str, &'a str)> {
    loop {
        let goes_on = |(from, to): &(&str, &str)| {
            uses.iter().any(|(other, _)| other == to) && uses.iter().any(|(_, other)| other == from)
        };
        let left: BTreeSet<_> = uses.iter().copied().filter(goes_on).collect();
        if left.len() == uses.len() {
            return left;
        }
        uses = left;
    }
}

#[test]
fn no_modules_of_a_crate_use_each_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let crates = fs::read_dir(root.join("crates")).unwrap().map(|entry| entry.unwrap().path());
    for folder in crates.chain([root.join("python")]) {
        let mut modules = Modules::new();
        read("", &folder.join("src"), &mut modules);
        let circles = circles(uses(&modules));
        assert!(circles.is_empty(), "{} has a circle: {circles:?}", folder.display());
    }
}

#[test]
fn a_circle_is_found_by_whatever_names() {
    let modules = [
        ("lib", "pub use self::{a::Item, b::{self, c::Other}};"),
        ("a", "use crate::b::c;"),
        ("b", "use std::io; use crate::{d::{e, f}, Item}; fn b() { crate::d::g(); }"),
        ("d", "crate::Third"),
        ("top", "use crate::a;"),
    ];
    let modules = modules.map(|(name, code)| (name.to_owned(), code.to_owned())).into();
    assert_eq!(uses(&modules), BTreeSet::from([("a", "b"), ("b", "a"), ("b", "d"), ("top", "a")]));
    assert_eq!(circles(uses(&modules)), BTreeSet::from([("a", "b"), ("b", "a")]));
}
