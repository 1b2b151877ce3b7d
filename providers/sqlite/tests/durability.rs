//! What was acknowledged is there after the process was killed.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use truststream_kernel::Context;
use truststream_services::database::DatabaseDriver;

use super::support::{ids, note, open, ready};

/// Tells the child process where to write.
const FOLDER: &str = "TRUSTSTREAM_TEST_FOLDER";
/// Writers of the child.
const WRITERS: i64 = 4;

/// Not a test of its own: what the killed process does. Prints each id once it is acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn child_writes_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let driver = Arc::new(ready(&folder).await);
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let driver = Arc::clone(&driver);
            tokio::spawn(async move {
                for id in (writer..).step_by(WRITERS as usize) {
                    driver.insert(&Context::system(), &note(id)).await.unwrap();
                    println!("wrote {id}");
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
}

#[tokio::test]
async fn acknowledged_writes_survive_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "durability::child_writes_until_it_is_killed", "--nocapture"])
        .env(FOLDER, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut acknowledged = Vec::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while acknowledged.len() < 200 {
        let line = lines.next().expect("the child ended").unwrap();
        acknowledged.extend(line.strip_prefix("wrote ").map(|id| id.parse::<i64>().unwrap()));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // What it still said before it died counts too; a line cut short does not.
    for line in lines.map_while(std::io::Result::ok) {
        acknowledged.extend(line.strip_prefix("wrote ").and_then(|id| id.parse::<i64>().ok()));
    }
    acknowledged.sort_unstable();
    // The kill freed the lock of the dead process.
    let driver = open(folder.path()).await.unwrap();
    let present = ids(&driver).await;
    let lost: Vec<_> = acknowledged.iter().filter(|id| !present.contains(id)).collect();
    assert!(lost.is_empty(), "acknowledged and gone: {lost:?}");
    let mut unique = present.clone();
    unique.dedup();
    assert_eq!(unique, present);
    driver.insert(&Context::system(), &note(-1)).await.unwrap();
}
