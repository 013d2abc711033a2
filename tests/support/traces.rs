//! What a program leaves behind on the machine. All its processes have its temporary directory in
//! their environment, which is how they are found.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The processes that belong to a temporary directory, without the dead ones that nobody has
/// waited for.
pub fn ids(tmp: &Path) -> Vec<u32> {
    let mark = tmp.to_str().expect("it is text").as_bytes();
    let ids = fs::read_dir("/proc").expect("this is Linux").flatten();
    ids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|id| {
            let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
            environment.windows(mark.len()).any(|window| window == mark)
        })
        .collect()
}

/// The same with their names.
pub fn processes(tmp: &Path) -> Vec<(u32, String)> {
    let name = |id| (id, fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default());
    ids(tmp).into_iter().map(name).collect()
}

/// What stands in it.
pub fn directories(tmp: &Path) -> Vec<PathBuf> {
    fs::read_dir(tmp).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// The sockets on which these processes listen, by the numbers that the kernel gives them.
pub fn listeners(processes: &[(u32, String)]) -> BTreeSet<String> {
    let open = processes.iter().flat_map(|(id, _)| fs::read_dir(format!("/proc/{id}/fd")));
    let links = open.flatten().flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    let links = links.filter_map(|link| link.to_str().map(str::to_owned));
    let sockets =
        links.filter_map(|link| Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()));
    let all = listening();
    sockets.filter(|socket| all.contains(socket)).collect()
}

/// All sockets of the machine on which somebody listens for TCP.
pub fn listening() -> BTreeSet<String> {
    const LISTEN: &str = "0A";
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let text: String = tables.iter().filter_map(|table| fs::read_to_string(table).ok()).collect();
    let rows = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let rows = rows.filter(|row| row.get(3) == Some(&LISTEN));
    rows.filter_map(|row| row.get(9).map(|inode| (*inode).to_owned())).collect()
}
