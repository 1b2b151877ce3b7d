//! Projects in temporary folders, and the real binary run on them.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tempfile::TempDir;
use truststream_conformance::PATIENT;
use truststream_conformance::postgres_server::PostgresServer;

/// What a command wrote and how it ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// The same, of a command that had to do its work.
    #[track_caller]
    pub fn done(self) -> Self {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self
    }

    /// What it wrote, as JSON.
    #[track_caller]
    pub fn json(&self) -> Json {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.err))
    }
}

/// What databases are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// The engines that every command of the catalog works on.
pub const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

/// A project with one backend, `main`.
pub struct Project {
    pub engine: Engine,
    folder: TempDir,
    /// The URL of its database, if that is PostgreSQL's.
    database: Option<String>,
}

impl Project {
    pub fn new(engine: Engine) -> Project {
        let database = (engine == Engine::Postgres).then(new_database);
        let project = Project { engine, folder: tempfile::tempdir().unwrap(), database };
        let secret = "a secret of at least thirty-two characters";
        let auth = format!("[auth]\njwt_secret = \"{secret}\"\n");
        project.write("truststream.toml", &format!("active = \"main\"\n{PATIENT}{auth}"));
        project.also("main", &project);
        project
    }

    /// Configures one more backend, which is empty.
    pub fn backend(&self, name: &str) {
        let url = (self.engine == Engine::Postgres).then(new_database);
        self.configure(name, url.as_deref(), &self.path(&format!(".truststream/{name}.db")));
    }

    /// Configures the database of a project as one more backend.
    pub fn also(&self, name: &str, project: &Project) {
        self.configure(name, project.database.as_deref(), &project.path(".truststream/data.db"));
    }

    fn configure(&self, name: &str, url: Option<&str>, file: &Path) {
        let settings = match url {
            Some(url) => format!("provider = \"postgres\"\nurl = \"{url}\""),
            None => format!("provider = \"sqlite\"\npath = \"{}\"", file.display()),
        };
        let config = fs::read_to_string(self.path("truststream.toml")).unwrap();
        self.write("truststream.toml", &format!("{config}\n[backend.{name}.database]\n{settings}\n"));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    pub fn migration(&self, name: &str, sql: &str) -> PathBuf {
        self.write(&format!("migrations/{name}"), sql)
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_truststream"));
        command.args(arguments).arg("--project").arg(self.folder.path());
        command.env_remove("TRUSTSTREAM_PROFILE").stdin(Stdio::null());
        command
    }

    /// Runs `truststream` on it.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(self.folder_name(), "PROJECT");
        Ran { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Runs it where nobody reads what it prints.
    pub fn unread(&self, arguments: &[&str]) -> Ran {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = self.command(arguments).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        Ran { code: output.status.code().unwrap_or(-1), out: String::new(), err }
    }

    /// Runs it on a pseudo-terminal and returns all that is shown there.
    #[track_caller]
    pub fn on_terminal(&self, arguments: &[&str]) -> String {
        let quote = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
        let mut words = vec![quote(env!("CARGO_BIN_EXE_truststream"))];
        words.extend(arguments.iter().map(|argument| quote(argument)));
        words.extend(["--project".to_owned(), quote(self.folder_name())]);
        let mut script = Command::new("script");
        let shown =
            script.args(["-qec", &words.join(" "), "/dev/null"]).stdin(Stdio::null()).output().unwrap();
        assert!(shown.status.success(), "{shown:?}");
        String::from_utf8(shown.stdout).unwrap()
    }

    fn folder_name(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    /// Runs SQL on the PostgreSQL database of `main`, around TrustStream.
    pub fn sql(&self, sql: &str) -> String {
        let url = self.database.as_deref().expect("only PostgreSQL is asked so");
        let (_, database) = url.rsplit_once('/').unwrap();
        PostgresServer::of_the_run().sql(database, sql).unwrap()
    }

    /// Serves it until the value goes.
    pub fn serve(&self) -> Serving {
        let mut command = self.command(&["start", "--port", "0"]);
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let serving = Serving { process, told: self.path(".truststream/gateway.json") };
        let until = Instant::now() + Duration::from_secs(120);
        while self.run(&["status", "--json"]).code != 0 {
            assert!(Instant::now() < until, "the gateway did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        serving
    }

    /// A gateway for developers, and what it tells of itself: its URL and keys.
    pub fn develop(&self) -> (Serving, Json) {
        let mut command = self.command(&["dev", "--port", "0", "--json"]);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let told = self.path(".truststream/gateway.json");
        (Serving { process, told }, serde_json::from_str(&line).unwrap())
    }
}

/// The URL of a new database of PostgreSQL.
fn new_database() -> String {
    PostgresServer::of_the_run().new_database().unwrap()
}

/// A gateway that runs.
pub struct Serving {
    process: Child,
    told: PathBuf,
}

impl Serving {
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Where it is, and the token of its operator.
    pub fn told(&self) -> Json {
        serde_json::from_str(&fs::read_to_string(&self.told).unwrap()).unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Status and body of what a gateway answers to a request; `headers` end with a line.
pub fn ask(host: &str, line: &str, headers: &str, body: &[u8]) -> (u16, Json) {
    let mut stream = TcpStream::connect(host).unwrap();
    let length = body.len();
    let head = format!("{line} HTTP/1.1\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap_or(Json::Null))
}

/// The same of the gateway that has told where it answers and its keys, as the service role and with JSON.
pub fn ask_as_service(told: &Json, line: &str, body: &Json) -> (u16, Json) {
    let text = |name: &str| told[name].as_str().unwrap();
    let host = text("api_url").trim_start_matches("http://");
    let key = text("service_role_key");
    let headers =
        format!("host: {host}\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n");
    ask(host, line, &headers, body.to_string().as_bytes())
}

/// The only file in a folder whose name ends so.
#[track_caller]
pub fn only(folder: &Path, ending: &str) -> PathBuf {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files = files.filter(|path| path.to_str().unwrap().ends_with(ending));
    let found = files.next().unwrap_or_else(|| panic!("no {ending} in {}", folder.display()));
    assert!(files.next().is_none(), "more than one {ending}");
    found
}
