//! Python: modules, where they are looked for, and their byte code.

use super::{must_not_run, must_notice, node, settled};

#[test]
fn a_module_that_a_script_imports() {
    let project = node("python3 src/main.py > {{out.o}}");
    project.write("src/main.py", "import helper\nprint(helper.value())\n");
    project.write("src/helper.py", "def value():\n    return 1\n");
    // Of another size each time: Python itself takes byte code of the same second and size for the source's.
    must_notice(
        &project,
        || project.edit("src/helper.py", "1", "22"),
        "22\n",
    );
    // Twice, for the second time byte code is read in place of the source.
    must_notice(
        &project,
        || project.edit("src/helper.py", "22", "333"),
        "333\n",
    );
}

#[test]
fn the_init_of_a_package() {
    let project = node("python3 main.py > {{out.o}}");
    project.write(
        "main.py",
        "import pkg.part\nprint(pkg.SCALE * pkg.part.BASE)\n",
    );
    project.write("pkg/__init__.py", "SCALE = 2\n");
    project.write("pkg/part.py", "BASE = 10\n");
    must_notice(
        &project,
        || project.edit("pkg/__init__.py", "2", "3"),
        "30\n",
    );
}

#[test]
fn a_module_that_shadows_another() {
    let project = node("python3 src/main.py > {{out.o}}");
    project.write(
        "src/main.py",
        "import colorsys\nprint(getattr(colorsys, 'MINE', 'library'))\n",
    );
    must_notice(
        &project,
        || project.write("src/colorsys.py", "MINE = 'shadow'\n"),
        "shadow\n",
    );
}

#[test]
fn a_module_that_was_looked_for_and_not_found() {
    let project = node("python3 src/main.py > {{out.o}}");
    project.write(
        "src/main.py",
        "try:\n    import speedups\n    print(speedups.NAME)\nexcept ImportError:\n    print('slow')\n",
    );
    must_notice(
        &project,
        || project.write("src/speedups.py", "NAME = 'fast'\n"),
        "fast\n",
    );
}

#[test]
fn a_new_script_beside_the_old_ones_concerns_nobody() {
    let project = node("python3 src/main.py > {{out.o}}");
    project.write("src/main.py", "import helper\nprint(helper.VALUE)\n");
    project.write("src/helper.py", "VALUE = 1\n");
    must_not_run(&project, || {
        project.write("src/another.py", "print('unrelated')\n")
    });
}

#[test]
fn names_that_python_itself_lists_count() {
    let project = node("python3 src/main.py > {{out.o}}");
    project.write(
        "src/main.py",
        "import os\nprint(sorted(n for n in os.listdir('src') if n.endswith('.py')))\n",
    );
    must_notice(
        &project,
        || project.write("src/another.py", ""),
        "['another.py', 'main.py']\n",
    );
}

#[test]
fn python_that_takes_no_observer_is_less_precise_and_never_wrong() {
    let project = node("python3 -I main.py > {{out.o}}");
    project.write(
        "main.py",
        "import sys\nsys.path.insert(0, 'lib')\nimport helper\nprint(helper.VALUE)\n",
    );
    project.write("lib/helper.py", "VALUE = 1\n");
    must_notice(
        &project,
        || project.edit("lib/helper.py", "1", "22"),
        "22\n",
    );
    must_notice(&project, || project.write("lib/new.py", ""), "22\n");
}

#[test]
fn what_pythonpath_names() {
    let mut project = node("python3 main.py > {{out.o}}");
    project.write("main.py", "import helper\nprint(helper.VALUE)\n");
    project.write("one/helper.py", "VALUE = 1\n");
    project.write("two/helper.py", "VALUE = 2\n");
    project.set_env("PYTHONPATH", "one");
    settled(&project);
    project.set_env("PYTHONPATH", "two");
    project.run_ok(&[]);
    assert_eq!(project.executed(), ["n"]);
    assert_eq!(project.read("o.txt"), "2\n");
    must_notice(
        &project,
        || project.edit("two/helper.py", "2", "33"),
        "33\n",
    );
}

#[test]
fn a_module_that_was_looked_for_by_a_computed_name() {
    let project = node("python3 src/main.py > {{out.o}}");
    project.write(
        "src/main.py",
        "import importlib\ntry:\n    print(importlib.import_module('plug' + 'in').NAME)\nexcept ImportError:\n    print('none')\n",
    );
    must_notice(
        &project,
        || project.write("src/plugin.py", "NAME = 'one'\n"),
        "one\n",
    );
}

#[test]
fn a_directory_of_the_project_that_is_only_called_like_one_of_packages() {
    let project = node("cat layer/lib/python3.11/site-packages/foo.py > {{out.o}}");
    project.write("layer/lib/python3.11/site-packages/foo.py", "1\n");
    must_notice(
        &project,
        || project.write("layer/lib/python3.11/site-packages/foo.py", "2\n"),
        "2\n",
    );
}

#[test]
fn byte_code_without_a_source() {
    let project = node(
        "python3 -c \"import sys; sys.path.insert(0, \\\"lib\\\"); import helper; print(helper.V)\" > {{out.o}}",
    );
    let compile = |value: &str| {
        project.write("helper.py", format!("V = {value}\n"));
        std::fs::create_dir_all(project.path("lib")).unwrap();
        let done = std::process::Command::new("python3")
            .args([
                "-c",
                "import py_compile; py_compile.compile('helper.py', cfile='lib/helper.pyc')",
            ])
            .current_dir(&project.dir)
            .status();
        assert!(done.is_ok_and(|done| done.success()));
        project.remove("helper.py");
    };
    compile("1");
    must_notice(&project, || compile("2"), "2\n");
}

#[test]
fn a_package_without_an_init() {
    let project = node("python3 main.py > {{out.o}}");
    project.write(
        "main.py",
        "import sys\nsys.path[:0] = ['one', 'two']\nimport space.a\ntry:\n    import space.b\n    print(space.a.A + space.b.B)\nexcept ImportError:\n    print(space.a.A)\n",
    );
    project.write("one/space/a.py", "A = 1\n");
    // Another part of it comes into being elsewhere on the path.
    must_notice(
        &project,
        || project.write("two/space/b.py", "B = 20\n"),
        "21\n",
    );
    must_notice(
        &project,
        || project.edit("one/space/a.py", "1", "300"),
        "320\n",
    );
    must_not_run(&project, || project.write("two/space/c.py", "C = 3\n"));
    // It becomes an ordinary package, and the other part is out of reach.
    must_notice(
        &project,
        || project.write("one/space/__init__.py", ""),
        "300\n",
    );
}

#[test]
fn what_a_user_installed_for_all_projects() {
    let project = node("python3 main.py > {{out.o}}");
    project.write(
        "main.py",
        "import importlib.metadata\nimport jalon_test_thing as it\nprint(it.VALUE)\n",
    );
    let site = std::process::Command::new("python3")
        .args(["-c", "import site; print(site.getusersitepackages())"])
        .env("HOME", project.beside("home"))
        .output()
        .expect("Python starts");
    let site = std::path::PathBuf::from(String::from_utf8(site.stdout).unwrap().trim());
    let install = |version: &str, value: u32| {
        let about = site.join("jalon_test_thing-1.dist-info");
        std::fs::create_dir_all(&about).unwrap();
        let module = format!("VALUE = {value}\n");
        std::fs::write(site.join("jalon_test_thing.py"), &module).unwrap();
        let about = |name: &str, text: String| std::fs::write(about.join(name), text).unwrap();
        about(
            "METADATA",
            format!("Metadata-Version: 2.1\nName: jalon-test-thing\nVersion: {version}\n"),
        );
        about(
            "RECORD",
            format!(
                "jalon_test_thing.py,sha256=of-{value},{}\njalon_test_thing-1.dist-info/METADATA,,\njalon_test_thing-1.dist-info/RECORD,,\n",
                module.len()
            ),
        );
    };
    install("1.0", 1);
    must_notice(&project, || install("1.1", 22), "22\n");
    // Beside it something that nobody imports, and something that no distribution speaks of.
    must_not_run(&project, || {
        std::fs::write(site.join("unrelated.py"), "").unwrap()
    });
    std::fs::write(
        project.path("main.py"),
        "import jalon_test_loose as it\nprint(it.VALUE)\n",
    )
    .unwrap();
    let loose = site.join("jalon_test_loose.py");
    std::fs::write(&loose, "VALUE = 3\n").unwrap();
    must_notice(
        &project,
        || std::fs::write(&loose, "VALUE = 44\n").unwrap(),
        "44\n",
    );
}
