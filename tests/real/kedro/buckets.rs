//! Files in a bucket: their file system tells which version is there, with the project's own credentials.

use std::fs;

use crate::ground::{Ground, shown};
use crate::servers::Server;
use crate::settings::{NODES, with_reader};

fn put(ground: &Ground, endpoint: &str, rows: &str) {
    let script = format!(
        "import s3fs\nfs = s3fs.S3FileSystem(key='AKEXAMPLE', secret='SKEXAMPLE', client_kwargs={{'endpoint_url': '{endpoint}', 'region_name': 'us-east-1'}})\nfs.pipe('bucket/sightings.csv', b'''{rows}''')\n"
    );
    let done = ground.python(&["-c", &script]);
    assert!(done.status.success(), "{}", shown(&done));
}

#[test]
fn a_file_in_a_bucket_is_read_again_when_another_lies_there() {
    let Some(mut server) = Server::s3() else {
        return;
    };
    let Some(ground) = Ground::new() else { return };
    let endpoint = server
        .env
        .iter()
        .find(|(name, _)| name == "AWS_ENDPOINT_URL")
        .map(|(_, value)| value.clone())
        .expect("it has one");
    with_reader(
        &ground,
        "sightings:\n  type: pandas.CSVDataset\n  filepath: s3://bucket/sightings.csv\n  credentials: bucket\n",
        "len(rows)",
    );
    fs::create_dir_all(ground.dir.join("conf/local")).expect("a directory");
    fs::write(
        ground.dir.join("conf/local/credentials.yml"),
        format!(
            "bucket:\n  key: AKEXAMPLE\n  secret: SKEXAMPLE\n  client_kwargs:\n    endpoint_url: {endpoint}\n    region_name: us-east-1\n"
        ),
    )
    .expect("it can be written");
    put(&ground, &endpoint, "name\na\nb\n");
    let ran = |expected: &[&str], what: &str| {
        let told = ground.run(&NODES);
        assert_eq!(ground.ran(), expected, "{what}: {told}");
        told
    };
    let told = ran(&["count_sightings"], "first");
    assert!(!told["notices"].to_string().contains("not known"), "{told}");
    ran(&[], "the same file");
    ran(&[], "and again");
    put(&ground, &endpoint, "name\na\nb\nc\n");
    ran(&["count_sightings"], "another file");
    // Written anew with the same bytes: an etag is a digest of them.
    put(&ground, &endpoint, "name\na\nb\nc\n");
    ran(&[], "the same bytes");
    // Where nobody answers nothing is known, and what needs it says so.
    server.stop();
    let stopped = ground.jalon(&[&["plan"][..], &NODES].concat());
    assert!(
        shown(&stopped).contains("which version of sightings is there is not known"),
        "{}",
        shown(&stopped)
    );
    // No credential is in anything that is kept.
    for path in crate::project::files_below(&ground.dir.join(".jalon")) {
        let bytes = fs::read(&path).unwrap_or_default();
        let found = bytes.windows(9).any(|it| it == b"SKEXAMPLE");
        assert!(!found, "the secret is in {}", path.display());
    }
}
