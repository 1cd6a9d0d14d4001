//! ext4 on a block device of its own (a loop device), which is shut down in the middle: nothing that the file system
//! has not written by then is written any more, its journal neither. Then it is mounted again, as after a power cut.
//! Source: EXT4_IOC_SHUTDOWN without flushing the log, as xfstests uses it.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{AFTER_ANOTHER, COLLECTION, Numbers, PUSH, RUN, Scenario, aim, files, project};
use crate::project::{is_root, rounds, skip, wait_until};

/// Bytes of the device.
const SIZE: u64 = 96 << 20;

/// A file system that can be cut off.
struct Device {
    image: PathBuf,
    at: PathBuf,
}

fn succeeds(program: &str, args: &[&Path]) -> bool {
    let status = Command::new(program)
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

impl Device {
    /// A new one, mounted; nothing where this machine does not let us.
    fn new(below: &Path) -> Option<Device> {
        let device = Device {
            image: below.join("image"),
            at: below.join("mounted"),
        };
        fs::create_dir_all(&device.at).unwrap();
        let image = File::create(&device.image).unwrap();
        image.set_len(SIZE).unwrap();
        let is_there = is_root()
            && succeeds("mkfs.ext4", &["-q".as_ref(), "-F".as_ref(), &device.image])
            && device.mount();
        is_there.then_some(device)
    }

    fn mount(&self) -> bool {
        succeeds(
            "mount",
            &["-o".as_ref(), "loop".as_ref(), &self.image, &self.at],
        )
    }

    /// The power goes.
    fn cut(&self) {
        /// `_IOR('X', 125, __u32)`. Source: fs/ext4/ext4.h.
        const SHUTDOWN: libc::Ioctl = 0x8004_587d;
        const WITHOUT_THE_LOG: u32 = 2;
        let root = File::open(&self.at).unwrap();
        // SAFETY: the call reads one `u32`.
        let done = unsafe { libc::ioctl(root.as_raw_fd(), SHUTDOWN, &WITHOUT_THE_LOG) };
        assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
    }

    /// And comes again.
    fn start(&self) {
        wait_until("nobody works there any more", || {
            succeeds("umount", &[&self.at])
        });
        assert!(self.mount(), "it cannot be mounted any more");
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // Lazily: a test that fails may have left somebody there.
        succeeds("umount", &["-l".as_ref(), &self.at]);
    }
}

/// A whole directory in place of another, with all that jalon keeps.
fn replace(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    assert!(succeeds("cp", &["-a".as_ref(), from, to]));
}

fn cut_off(scenario: &Scenario, turns: u32) {
    let mut project = project();
    let Some(device) = Device::new(&project.beside("device")) else {
        return skip("power cuts of a real disk (not root, or no loop devices or mkfs.ext4 here)");
    };
    let sources = std::mem::replace(&mut project.dir, device.at.join("project"));
    replace(&sources, &project.dir);
    aim(&project, &project, false);
    (scenario.prepare)(&project);
    let before = project.beside("before");
    replace(&project.dir, &before);
    // How long it takes, and what it comes to.
    let began = Instant::now();
    project.jalon(scenario.verb).expect(0);
    let takes = began.elapsed();
    project.run_ok(&[]);
    let expected = files(&project);

    let mut numbers = Numbers(0x0f1e_2d3c_4b5a_6978);
    let mut cut = 0;
    // It may take less time again than the first time.
    let mut reach = takes;
    for turn in 0..turns {
        replace(&before, &project.dir);
        assert!(succeeds("sync", &["-f".as_ref(), &device.at]));
        let mut running = project.start(scenario.verb);
        let upto = Duration::from_micros(numbers.below(reach.as_micros() as u64 + 1));
        let began = Instant::now();
        // The end itself, often: what was said to be kept must be there.
        let to_the_end = turn % 4 == 0;
        while !running.ended() && (to_the_end || began.elapsed() < upto) {
            std::thread::sleep(Duration::from_micros(200));
        }
        let done = running.ended();
        device.cut();
        running.signal("KILL");
        running.wait();
        device.start();
        cut += u32::from(!done);
        if !to_the_end {
            reach = if done {
                reach / 2
            } else {
                (reach * 2).min(takes)
            };
        }
        let what = format!("{:?}, turn {turn}: {upto:?} of {takes:?}", scenario.verb);
        (scenario.check)(&project, done, &expected, &what);
    }
    assert!(cut > 0, "nothing was cut off in the middle");
    eprintln!("{cut} of {turns} were cut off before their end");
}

#[test]
fn the_power_goes_in_a_run() {
    cut_off(&RUN, rounds(12));
}

#[test]
fn the_power_goes_in_a_run_after_another() {
    cut_off(&AFTER_ANOTHER, rounds(8));
}

#[test]
fn the_power_goes_in_a_collection() {
    cut_off(&COLLECTION, rounds(8));
}

#[test]
fn the_power_goes_in_a_push() {
    cut_off(&PUSH, rounds(8));
}

/// The device forgets what nobody synced: else nothing is shown here.
#[test]
fn what_nobody_synced_is_lost() {
    let project = project();
    let Some(device) = Device::new(&project.beside("device")) else {
        return skip("power cuts of a real disk (not root, or no loop devices or mkfs.ext4 here)");
    };
    for name in ["synced", "forgotten"] {
        let path = device.at.join(name);
        fs::write(&path, name).unwrap();
        if name == "synced" {
            File::open(&path).unwrap().sync_all().unwrap();
        }
    }
    device.cut();
    device.start();
    assert_eq!(
        fs::read_to_string(device.at.join("synced")).unwrap(),
        "synced"
    );
    assert!(!device.at.join("forgotten").exists());
}
