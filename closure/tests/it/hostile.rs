//! Texts that nobody writes: they get an answer, in bounded time and stack.

use jalon_closure::{Analysis, Closure, Entry, Memory, Reach};

fn closure(text: &str) -> Closure {
    let files = [
        (
            "main.py",
            "import hostile\ndef run():\n    return hostile.x\n",
        ),
        ("hostile.py", text),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
    let project = Memory {
        files: files.into_iter().collect(),
    };
    Analysis::new(project, vec![String::new()])
        .function(&Entry::new("main:run"))
        .expect("it has its entry")
}

fn is_whole(closure: &Closure) -> bool {
    closure
        .widenings
        .iter()
        .any(|it| it.reach == Reach::Project)
}

/// Python refuses these; the module counts as it is.
#[test]
fn what_is_nested_beyond_all_measure_counts_as_text() {
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("{1:", "}"),
        ("f(", ")"),
        ("lambda: (", ")"),
    ] {
        let text = format!("x = {}1{}\n", open.repeat(5_000), close.repeat(5_000));
        let found = closure(&text);
        assert!(is_whole(&found), "{open}");
        assert!(found.part("hostile", "(text)").is_some());
        let other = closure(&text.replace('1', "2"));
        assert!(!found.same_code(&other) || open.contains('1'), "{open}");
    }
    let mut blocks = String::new();
    for level in 0..2_000 {
        blocks.push_str(&format!("{}if x:\n", " ".repeat(level)));
    }
    blocks.push_str(&format!("{}x = 1\n", " ".repeat(2_000)));
    assert!(is_whole(&closure(&blocks)));
    for text in [
        "not ".repeat(50_000),
        "-".repeat(50_000),
        "x if x else ".repeat(50_000),
        "lambda: ".repeat(50_000),
        "1 + ".repeat(50_000),
        "2 ** ".repeat(50_000),
        "await ".repeat(50_000),
    ] {
        assert!(
            is_whole(&closure(&format!("x = {text}1\n"))),
            "{}",
            &text[..8]
        );
    }
}

/// Python takes these; so do we, on a thread with a small stack.
#[test]
fn what_python_takes_is_taken_apart() {
    let texts = [
        format!("x = {}1{}\n", "(".repeat(190), ")".repeat(190)),
        format!("x = {}1{}\n", "[".repeat(190), "]".repeat(190)),
        format!("x = {}1\n", "not ".repeat(900)),
        format!("x = {}1\n", "1 + ".repeat(6_000)),
        format!("x = f{}\n", ".a".repeat(9_000)),
        format!("x = f{}\n", "()".repeat(900)),
        format!("x = {}1\n", "x if x else ".repeat(900)),
        format!("x = {}1\n", "lambda: ".repeat(900)),
        format!("if 0: x = 0\n{}", "elif x: x = 1\n".repeat(3_000)),
        format!("x = [{}]\n", "-1, ".repeat(100_000)),
        format!("x = {}'a'\n", "'a' ".repeat(9_000)),
    ];
    let small = std::thread::Builder::new().stack_size(1 << 20);
    let thread = small.spawn(move || {
        for text in texts {
            assert!(!is_whole(&closure(&text)), "{}", &text[..12]);
        }
    });
    thread.unwrap().join().unwrap();
}

/// Chains of modules and of calls that are as long as the project.
#[test]
fn long_chains_cost_no_stack() {
    let mut project = Memory::default();
    let count = 1_500;
    for index in 0..count {
        let next = index + 1;
        let text = format!(
            "from m{next} import f{next}, x\ndef f{index}():\n    return f{next}()\nX{index} = f{index}()\n"
        );
        project
            .files
            .insert(format!("m{index}.py"), text.into_bytes());
    }
    project.files.insert(
        format!("m{count}.py"),
        format!("def f{count}():\n    return 1\nx = 1\n").into_bytes(),
    );
    let mut analysis = Analysis::new(project, vec![String::new()]);
    let thread = std::thread::Builder::new()
        .stack_size(1 << 20)
        .spawn(move || analysis.function(&Entry::new("m0:f0")).unwrap());
    let closure = thread.unwrap().join().unwrap();
    assert!(
        closure
            .part(&format!("m{count}"), &format!("f{count}"))
            .is_some()
    );
}

/// Stars upon stars, each asking all others, and names that lead in circles.
#[test]
fn circles_end() {
    let mut project = Memory::default();
    for index in 0..40 {
        let stars: String = (0..40).map(|it| format!("from m{it} import *\n")).collect();
        let text = format!(
            "{stars}from m{} import y as z{index}\ndef f{index}():\n    return g{index}() + missing\n",
            (index + 1) % 40
        );
        project
            .files
            .insert(format!("m{index}.py"), text.into_bytes());
    }
    let mut analysis = Analysis::new(project, vec![String::new()]);
    assert!(analysis.function(&Entry::new("m0:f0")).is_ok());
    assert!(analysis.function(&Entry::new("m0:f39")).is_ok());
}

#[test]
fn names_that_are_none_are_refused() {
    let mut analysis = Analysis::new(Memory::default(), vec![String::new()]);
    for name in [
        "", ":", "a", "a:", ":b", "a:b:c", "a/b:c", "..:a", "a b:c", "a:b()", "if:x", "a:\0",
    ] {
        assert!(analysis.function(&Entry::new(name)).is_err(), "{name:?}");
    }
}
