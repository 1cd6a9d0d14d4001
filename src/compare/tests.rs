//! Each format with files that Python's standard library makes; NumPy's and Parquet's are laid by hand.

use std::io::Cursor;
use std::process::Command;

use super::{Difference, compare};

fn difference(old: &[u8], new: &[u8]) -> Option<Difference> {
    compare(&mut Cursor::new(old), &mut Cursor::new(new)).unwrap()
}

#[track_caller]
fn assert_says(old: &[u8], new: &[u8], expected: &str) {
    let found = difference(old, new).expect("they differ");
    assert_eq!(found.to_string(), expected, "{found:?}");
}

/// What a program prints, with `v` as given.
fn python(program: &str, v: &str) -> Vec<u8> {
    let program = format!(
        "import sys, io\nv = {v}\nout = io.BytesIO()\n{program}\nsys.stdout.buffer.write(out.getvalue())"
    );
    let made = Command::new("python3").args(["-c", &program]).output();
    let made = made.expect("these tests need python3");
    let told = String::from_utf8_lossy(&made.stderr).into_owned();
    assert!(made.status.success(), "{told}");
    made.stdout
}

/// Two files of one program, and what is said of them.
#[track_caller]
fn assert_python(program: &str, old: &str, new: &str, expected: &str) {
    assert_says(&python(program, old), &python(program, new), expected);
}

#[test]
fn equal_files_do_not_differ() {
    assert_eq!(difference(b"", b""), None);
    assert_eq!(difference(&[7; 200_000], &[7; 200_000]), None);
}

#[test]
fn plain_bytes_by_offset() {
    let old = vec![0; 200_000];
    let mut new = old.clone();
    new[150_001] = 5;
    let found = difference(&old, &new).unwrap();
    assert_eq!((found.format, found.offset), ("bytes", Some(150_001)));
    assert_says(
        &[0, 1],
        &[0, 1, 2],
        "it goes on at byte 2: 2 bytes → 3 bytes",
    );
}

#[test]
fn text_by_line_and_column() {
    assert_says(
        b"a,b\n1,2\n3,4\n",
        b"a,b\n1,2\n3,5\n",
        "line 3, column 3: \"3,4\" → \"3,5\" (byte 10)",
    );
    assert_says(
        "é=1\nü=2\n".as_bytes(),
        "é=1\nüx2\n".as_bytes(),
        "line 2, column 2: \"ü=2\" → \"üx2\" (byte 7)",
    );
    assert_says(b"a\n", b"a\nb\n", "line 2, column 1: \"\" → \"b\" (byte 2)");
    assert_says(
        b"a\n",
        b"a\r\n",
        "line 1, column 2: \"a\" → \"a\\r\" (byte 1)",
    );
}

#[test]
fn a_long_text_far_from_its_beginning() {
    let old = "0123456789\n".repeat(100_000);
    let new = old.clone() + "x";
    let found = difference(old.as_bytes(), new.as_bytes()).unwrap();
    assert_eq!(found.place, "line 100001, column 1");
}

#[test]
fn json_by_key() {
    let program = "import json\nout.write(json.dumps({'a': {'b': [0, 1, 2, {'c': v}]}, 'z': 0}, indent=1).encode())";
    assert_python(program, "1", "2", "a.b[3].c: 1 → 2");
    assert_says(b"{\"a b\": 1}", b"{\"a b\": null}", "[\"a b\"]: 1 → null");
    assert_says(b"[1]", b"[1, 2]", "[1]: nothing → 2");
    assert_says(b"{\"a\": 1}", b"[]", "the whole value: {\"a\":1} → []");
    assert_says(
        b"{\"a\": 1, \"b\": 2}",
        b"{\"b\": 2, \"a\": 1}",
        "the same values in another order of keys, or written otherwise",
    );
    assert_says(
        b"{\"a\": 1}\n{\"a\": 2}\n",
        b"{\"a\": 1}\n{\"a\": 3}\n",
        "line 2, a: 2 → 3 (byte 15)",
    );
    // No JSON after all.
    assert_says(
        b"[section]\na=1\n",
        b"[section]\na=2\n",
        "line 2, column 3: \"a=1\" → \"a=2\" (byte 12)",
    );
}

const ZIP: &str = "import zipfile
time, text, names = v
with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as z:
    for name in names:
        z.writestr(zipfile.ZipInfo(name, (time, 1, 2, 3, 4, 6)), '{\"x\": %d}' % text)";

#[test]
fn zip_by_member_then_header() {
    let one = "2020, 1, ['a.json', 'b.json']";
    assert_python(
        ZIP,
        one,
        "2021, 2, ['a.json', 'b.json']",
        "a.json › x: 1 → 2",
    );
    assert_python(
        ZIP,
        one,
        "2021, 1, ['a.json', 'b.json']",
        "a.json › header: time: 2020-01-02 03:04:06 → 2021-01-02 03:04:06",
    );
    assert_python(
        ZIP,
        one,
        "2020, 1, ['a.json']",
        "b.json › this member is gone",
    );
    assert_python(
        ZIP,
        one,
        "2020, 1, ['a.json', 'b.json', 'c']",
        "c › this member is new",
    );
    assert_python(
        ZIP,
        one,
        "2020, 1, ['b.json', 'a.json']",
        "the members are in another order: a.json → b.json",
    );
}

#[test]
fn a_torn_archive_is_compared_as_bytes() {
    let old = python(ZIP, "2020, 1, ['a']");
    let mut new = old.clone();
    new.truncate(40);
    let found = difference(&old, &new).unwrap();
    assert_eq!((found.format, found.offset), ("bytes", Some(40)));
}

const TAR: &str = "import tarfile
mode, time, text, names = v
with tarfile.open(fileobj=out, mode='w' + mode) as t:
    for name in names:
        info = tarfile.TarInfo(name)
        info.size, info.mtime = len(text), time
        t.addfile(info, io.BytesIO(text.encode()))";

#[test]
fn tar_by_member_then_header() {
    let one = "'', 100, 'one', ['a', 'b']";
    assert_python(
        TAR,
        one,
        "'', 200, 'ome', ['a', 'b']",
        "a › line 1, column 2: \"one\" → \"ome\" (byte 1)",
    );
    assert_python(
        TAR,
        one,
        "'', 200, 'one', ['a', 'b']",
        "a › header: time: 100 → 200",
    );
    assert_python(TAR, one, "'', 100, 'one', ['a']", "b › this member is gone");
    assert_python(
        TAR,
        one,
        "'', 100, 'one', ['a', 'c']",
        "another member follows: b → c",
    );
}

#[test]
fn gzip_by_what_is_in_it_then_header() {
    let program =
        "import gzip\ntime, level, text = v\nout.write(gzip.compress(text, level, mtime=time))";
    let one = "1, 9, b'abc\\n' * 99";
    assert_python(
        program,
        one,
        "2, 9, b'abc\\n' * 98 + b'abd\\n'",
        "uncompressed › line 99, column 3: \"abc\" → \"abd\" (byte 394)",
    );
    assert_python(
        program,
        one,
        "2, 9, b'abc\\n' * 99",
        "header: time: 1 → 2 (byte 4)",
    );
    assert_python(
        program,
        one,
        "1, 0, b'abc\\n' * 99",
        "the same bytes compressed otherwise (level, or program)",
    );
    let found = difference(
        &python(TAR, "':gz', 1, 'one', ['deep/a']"),
        &python(TAR, "':gz', 1, 'two', ['deep/a']"),
    );
    assert_eq!(found.unwrap().within, ["uncompressed", "deep/a"]);
}

fn npy(descr: &str, shape: &str, fortran: bool, data: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}");
    while !(10 + text.len() + 1).is_multiple_of(64) {
        text.push(' ');
    }
    text.push('\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((text.len() as u16).to_le_bytes());
    file.extend(text.as_bytes());
    file.extend(data);
    file
}

fn floats(values: &[f64]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

#[test]
fn npy_by_header_then_element() {
    let old = npy("<f8", "(2, 3)", false, &floats(&[0., 1., 2., 3., 4., 5.]));
    let new = npy("<f8", "(2, 3)", false, &floats(&[0., 1., 2., 3., 4.5, 5.]));
    assert_says(&old, &new, "element [1, 1]: 4 → 4.5 (byte 166)");
    let (old, new) = (
        npy("<f8", "(2, 3)", true, &floats(&[0., 1., 2., 3., 4., 5.])),
        npy("<f8", "(2, 3)", true, &floats(&[0., 1., 2., 3., 4.5, 5.])),
    );
    assert_says(&old, &new, "element [0, 2]: 4 → 4.5 (byte 166)");
    assert_says(
        &npy("<f8", "(1,)", false, &[0; 8]),
        &npy("<i4", "(2,)", false, &[0; 8]),
        "header: descr: '<f8' → '<i4'",
    );
    assert_says(
        &npy("<f8", "(1,)", false, &[0; 8]),
        &npy("<f8", "(2,)", false, &[0; 16]),
        "header: shape: (1,) → (2,)",
    );
    assert_says(
        &npy(">i2", "(2,)", false, &[0, 1, 0xff, 0xff]),
        &npy(">i2", "(2,)", false, &[0, 1, 0, 3]),
        "element [1]: -1 → 3 (byte 130)",
    );
}

#[test]
fn npz_is_a_zip_of_npy() {
    let program = "import zipfile
with zipfile.ZipFile(out, 'w') as z:
    z.writestr(zipfile.ZipInfo('w.npy'), bytes.fromhex(v))";
    let hex = |bytes: &[u8]| {
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("'{text}'")
    };
    let old = hex(&npy("|u1", "(3,)", false, &[1, 2, 3]));
    let new = hex(&npy("|u1", "(3,)", false, &[1, 2, 4]));
    assert_python(program, &old, &new, "w.npy › element [2]: 3 → 4 (byte 130)");
}

const PNG: &str = "import zlib, struct
text, time, pixel = v
def chunk(kind, data):
    out.write(struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data)))
out.write(b'\\x89PNG\\r\\n\\x1a\\n')
chunk(b'IHDR', struct.pack('>IIBBBBB', 1, 1, 8, 0, 0, 0, 0))
if text: chunk(b'tEXt', b'Software\\0' + text)
chunk(b'tIME', struct.pack('>HBBBBB', time, 1, 2, 3, 4, 5))
chunk(b'IDAT', zlib.compress(bytes([0, pixel])))
chunk(b'IEND', b'')";

#[test]
fn png_by_chunk() {
    let one = "b'plot 1.0', 2020, 7";
    assert_python(
        PNG,
        one,
        "b'plot 1.1', 2021, 7",
        "chunk tEXt (Software): plot 1.0 → plot 1.1 (byte 33)",
    );
    assert_python(
        PNG,
        one,
        "b'plot 1.0', 2021, 7",
        "chunk tIME: 2020-01-02 03:04:05 → 2021-01-02 03:04:05 (byte 62)",
    );
    // Pixels matter more than what is said about them.
    let found = difference(&python(PNG, one), &python(PNG, "b'other', 2021, 8")).unwrap();
    assert_eq!(
        found.place,
        "chunk IDAT (the pixels, or how they are compressed)"
    );
    let found = difference(&python(PNG, one), &python(PNG, "b'', 2020, 7")).unwrap();
    assert!(found.to_string().contains("tEXt"), "{found}");
}

#[test]
fn pickle_by_operation() {
    let program = "import pickle\nout.write(pickle.dumps(v[1], protocol=v[0]))";
    assert_python(
        program,
        "4, {'name': 'm', 'loss': 0.5}",
        "4, {'name': 'm', 'loss': 0.25}",
        "operation 10, after \"loss\": 0.5 → 0.25 (byte 32)",
    );
    // The frame's length differs first, which says nothing.
    assert_python(
        program,
        "4, {'loss': 'long'}",
        "4, {'loss': 'longer'}",
        "operation 5, after \"loss\": \"long\" → \"longer\" (byte 20)",
    );
    assert_python(program, "4, [1]", "5, [1]", "the protocol: 4 → 5 (byte 0)");
    assert_python(
        program,
        "3, [1, 300, -1, None]",
        "3, [1, 300, -2, None]",
        "operation 6: -1 → -2 (byte 11)",
    );
}

/// A footer in Thrift's compact protocol: version 1, one row, `created_by`, one pair of metadata.
fn parquet(data: &[u8], by: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| {
        let mut bytes = vec![text.len() as u8];
        bytes.extend(text.as_bytes());
        bytes
    };
    let mut footer = vec![0x15, 2, 0x19, 0x1c, 0x48];
    footer.extend(text("schema"));
    footer.extend([0, 0x16, 2, 0x19, 0x0c, 0x19, 0x1c, 0x18]);
    footer.extend(text("pandas"));
    footer.push(0x18);
    footer.extend(text(value));
    footer.extend([0, 0x18]);
    footer.extend(text(by));
    footer.push(0);
    let mut file = b"PAR1".to_vec();
    file.extend(data);
    file.extend(&footer);
    file.extend((footer.len() as u32).to_le_bytes());
    file.extend(b"PAR1");
    file
}

#[test]
fn parquet_by_rows_then_footer() {
    let old = parquet(b"rows", "writer 1", "{}");
    assert_says(
        &old,
        &parquet(b"rows", "writer 2", "{}"),
        "footer: created_by: writer 1 → writer 2",
    );
    assert_says(
        &old,
        &parquet(b"rows", "writer 1", "{1}"),
        "footer: metadata \"pandas\": {} → {1}",
    );
    assert_says(
        &old,
        &parquet(b"roww", "writer 2", "{}"),
        "row-group bytes, written by writer 1 → writer 2 (byte 7)",
    );
    assert_says(
        &old,
        &parquet(b"rowsandmore", "writer 1", "{}"),
        "row-group bytes (byte 8)",
    );
}
