//! Files are where their rows say, and their bytes are what they were.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use truststream_conformance::scratch;
use truststream_kernel::Body;
use truststream_runtime::{Config, Runtime};
use truststream_services::storage::{Access, BucketSettings, CreateBucket, Upload, object_key};
use truststream_switch::{Options, Phase, Record, Verify};

use super::PATIENT;

/// Files of each of these projects.
const FILES: u64 = 120;

/// A project with files, and where its two backends are.
struct Project {
    runtime: Arc<Runtime>,
    folder: TempDir,
}

impl Project {
    async fn new() -> Self {
        let folder = scratch::folder().unwrap();
        let secret = "a-secret-of-at-least-thirty-two-characters";
        let mut text = format!("active = \"main\"\n[auth]\njwt_secret = \"{secret}\"\n{PATIENT}");
        for name in ["main", "cloud"] {
            let path =
                |file: &str| format!("{:?}", folder.path().join(name).join(file).display().to_string());
            let (data, objects) = (path("data.db"), path("files"));
            text.push_str(&format!("[backend.{name}.database]\nprovider = \"sqlite\"\npath = {data}\n"));
            text.push_str(&format!("[backend.{name}.storage]\nprovider = \"fs\"\nroot = {objects}\n"));
        }
        let config = Config::from_text(Path::new(""), &text).unwrap();
        let runtime = Runtime::open_in_memory(config).await.unwrap();
        let settings = BucketSettings::default();
        runtime.storage().send(CreateBucket { name: "files".into(), settings }).await.unwrap();
        let project = Project { runtime, folder };
        for number in 0..FILES {
            project.upload(number).await;
        }
        project
    }

    /// Uploads a file; returns the key of its bytes.
    async fn upload(&self, number: u64) -> String {
        let upload = Upload {
            bucket: "files".into(),
            name: format!("folder/{number}.txt"),
            body: Body::from(format!("text {number:03}")),
            content_type: "text/plain".into(),
            cache_control: "no-cache".into(),
            user_metadata: None,
            upsert: true,
            access: Access::Caller,
        };
        object_key(&self.runtime.storage().send(upload).await.unwrap().version)
    }

    /// Where the bytes of a key lie on the disk of a backend.
    fn path(&self, backend: &str, key: &str) -> PathBuf {
        // Names of folders end with a plus.
        self.folder.path().join(backend).join("files/objects").join(key.replace('/', "+/"))
    }

    async fn switch(&self, options: Options, until: Phase) -> Record {
        self.runtime.switcher().start("cloud", options).await.unwrap();
        let mut progress = self.runtime.switcher().watch().unwrap();
        let ends = |phase| matches!(phase, Phase::Committed | Phase::Aborted);
        progress.wait_for(|progress| ends(progress.phase)).await.unwrap();
        let record = self.runtime.switcher().latest().await.unwrap().unwrap();
        assert_eq!(record.phase, until, "{:?}", record.report.failure);
        record
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bytes_of_every_file_are_compared_there_and_back() {
    let project = Project::new().await;
    let runtime = &project.runtime;
    let plan = runtime.switcher().plan("cloud").await.unwrap();
    assert_eq!((plan.moves_objects, plan.objects, plan.object_bytes), (true, FILES, FILES * 8));
    let tried = runtime.switcher().rehearse("cloud").await.unwrap();
    assert_eq!(tried.files, 20);

    let record = project.switch(runtime.switch_options(), Phase::Committed).await;
    // Of those that were tried nothing was left.
    assert_eq!((record.report.objects, record.report.object_bytes), (FILES, FILES * 8));
    let files = record.report.tables.into_iter().find_map(|table| table.objects).unwrap();
    assert_eq!((files.count, files.bytes, &files.source), (FILES, FILES * 8, &files.target));

    // What was uploaded there comes back, and what was replaced there is gone here.
    let later = project.upload(FILES).await;
    let options = runtime.switch_options();
    let compared = runtime.switcher().verify("cloud", "main", &options).await.unwrap();
    let again = compared.into_iter().find_map(|table| table.objects).unwrap();
    assert_eq!((again.count, &again.source), (FILES + 1, &again.target));
    assert_ne!(again.source, files.source);
    runtime.switcher().back().await.unwrap();
    assert_eq!(std::fs::read_to_string(project.path("main", &later)).unwrap(), format!("text {FILES}"));
    runtime.close(Duration::from_secs(60)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_bytes_of_the_same_size_are_found_named_and_repaired() {
    let project = Project::new().await;
    let runtime = &project.runtime;
    let (key, other) = (project.upload(7).await, project.upload(8).await);
    let there = project.path("cloud", &key);
    std::fs::create_dir_all(there.parent().unwrap()).unwrap();
    std::fs::write(&there, "text 700").unwrap();

    let record = project.switch(runtime.switch_options(), Phase::Aborted).await;
    let failure = record.report.failure.unwrap_or_default();
    assert!(failure.contains("the bytes of 1 files (files/folder/7.txt)"), "{failure}");
    assert_eq!(runtime.route().owner, "main");

    let options = Options { repair: true, ..runtime.switch_options() };
    project.switch(options.clone(), Phase::Committed).await;
    assert_eq!(std::fs::read_to_string(&there).unwrap(), "text 007");

    // Damage on the side that does not serve is found at any time.
    let here = project.path("main", &key);
    std::fs::write(&here, "text 700").unwrap();
    std::fs::remove_file(project.path("main", &other)).unwrap();
    let plain = runtime.switch_options();
    let error = runtime.switcher().verify("cloud", "main", &plain).await.unwrap_err();
    assert_eq!(error.code(), "BACKEND_009");
    assert!(error.message().contains("the bytes of 2 files (files/folder/"), "{}", error.message());
    runtime.switcher().verify("cloud", "main", &options).await.unwrap();
    runtime.switcher().verify("cloud", "main", &plain).await.unwrap();
    assert_eq!(std::fs::read_to_string(&here).unwrap(), "text 007");
    // The way back compares, and repairs as the way there did.
    std::fs::write(&here, "text 700").unwrap();
    runtime.switcher().back().await.unwrap();
    assert_eq!(std::fs::read_to_string(&here).unwrap(), "text 007");
    runtime.close(Duration::from_secs(60)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_reads_some_of_them() {
    let project = Project::new().await;
    let runtime = &project.runtime;
    let options = Options { verify: Verify::Sample, ..runtime.switch_options() };
    let record = project.switch(options, Phase::Committed).await;
    assert_eq!(record.report.objects, FILES, "all are copied");
    let files = record.report.tables.into_iter().find_map(|table| table.objects).unwrap();
    assert!(files.count < FILES / 2 && files.source == files.target, "{files:?}");
    runtime.close(Duration::from_secs(60)).await;
}
