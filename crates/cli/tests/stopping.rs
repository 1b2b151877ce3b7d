//! How a gateway ends.

use std::fs;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::support::{Engine, Project};

/// SIGTERM in the masks of `/proc/PID/status`.
const TERMINATE: u64 = 1 << 14;

/// Whether a process handles SIGTERM itself.
fn listens(process: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(caught.trim(), 16).unwrap() & TERMINATE != 0
}

#[test]
fn a_signal_right_after_the_announcement_ends_it_in_good_order() {
    let project = Project::new(Engine::Sqlite);
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    let stdout = writer.try_clone().unwrap();
    // More than a pipe holds: nobody can announce anything until it is read.
    let filling = std::thread::spawn(move || writer.write_all(&vec![b'\n'; 2 << 20]));
    let mut command = project.command(&["dev", "--port", "0", "--json"]);
    let mut gateway = command.stdout(stdout).stderr(Stdio::null()).spawn().unwrap();
    drop(command);

    let until = Instant::now() + Duration::from_secs(120);
    while !listens(gateway.id()) {
        assert!(gateway.try_wait().unwrap().is_none(), "it ended");
        assert!(Instant::now() < until, "it announces itself before it listens for signals");
        std::thread::sleep(Duration::from_millis(10));
    }
    let sent = Command::new("kill").arg(gateway.id().to_string()).status().unwrap();
    assert!(sent.success());
    let mut printed = String::new();
    reader.read_to_string(&mut printed).unwrap();
    filling.join().unwrap().unwrap();
    assert_eq!(gateway.wait().unwrap().code(), Some(0), "{}", printed.trim());
    assert!(printed.contains("api_url"), "{}", printed.trim());
}
