use super::*;

#[test]
fn every_built_in_line_is_a_route() {
    for dialect in Dialect::ALL {
        RouteTable::empty().extend(dialect.routes()).unwrap_or_else(|e| panic!("{dialect:?}: {e}"));
    }
    assert!(RouteTable::builtin().iter().count() > 60);
}

#[test]
fn control_calls_of_every_dialect_are_found_and_generation_is_not() {
    let routes = RouteTable::builtin();
    let operation =
        |method, path| routes.find(method, path).map(|route| (&*route.operation, route.tag));
    assert_eq!(operation("POST", "/update_weights"), Some(("update_weights", Tag::Weights)));
    assert_eq!(operation("POST", "/reload_weights"), Some(("reload_weights", Tag::Weights)));
    assert_eq!(operation("POST", "/pause_generation"), Some(("pause", Tag::Weights)));
    assert_eq!(
        operation("POST", "/init_broadcaster"),
        Some(("init_weight_transfer_engine", Tag::Weights))
    );
    assert_eq!(operation("GET", "/is_paused"), Some(("is_paused", Tag::Admin)));
    assert_eq!(operation("POST", "/update_named_param/"), Some(("update_weights", Tag::Weights)));
    for (method, path) in [
        ("POST", "/v1/completions"),
        ("GET", "/pause"),
        ("POST", "/Pause"),
        ("POST", ""),
        ("POST", "/"),
        ("GET", "/health"),
        ("POST", "//pause"),
        ("POST", "/pause?mode=keep"),
    ] {
        assert_eq!(operation(method, path), None, "{method} {path}");
    }
}

#[test]
fn a_get_may_act() {
    let routes = RouteTable::builtin();
    for path in ["/flush_cache", "/resume_memory_occupation", "/start_profile", "/freeze_gc"] {
        assert!(routes.find("GET", path).unwrap().acts, "{path}");
        assert!(routes.find("POST", path).unwrap().acts, "{path}");
    }
    for path in ["/is_paused", "/weight_info", "/get_weights_by_name"] {
        assert!(!routes.find("GET", path).unwrap().acts, "{path}");
    }
}

#[test]
fn a_file_adds_and_replaces_routes() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(
        file.path(),
        "# ours\n\nPOST /my/reload reload_weights  # slow\nPOST /pause my_pause admin\n",
    )
    .unwrap();
    let mut routes = RouteTable::builtin();
    let before = routes.iter().count();
    routes.extend_from_file(file.path()).unwrap();
    assert_eq!(routes.iter().count(), before + 1);
    let pause = routes.find("POST", "/pause").unwrap();
    assert_eq!((&*pause.operation, pause.tag), ("my_pause", Tag::Admin));
}

#[test]
fn a_line_that_is_no_route_is_named() {
    for (text, part) in [
        ("POST /a b\npost /x y", "line 2: the method must be in capitals"),
        ("POST x y", "must start with /"),
        ("POST /x Y", "lower-case"),
        ("POST /x y z", "weights or admin"),
        ("POST /x", "expected METHOD PATH OPERATION"),
        ("GET /x y admin twice", "expected METHOD PATH OPERATION"),
        ("POST /x?mode=keep y", "must have no query"),
        ("POST /x other", "choose another name"),
    ] {
        let error = RouteTable::empty().extend(text).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    let error = RouteTable::empty().extend_from_file(Path::new("/does/not/exist")).unwrap_err();
    assert!(error.to_string().contains("/does/not/exist"), "{error}");
}
