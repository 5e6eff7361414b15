"""A Rust program: threads, channels, a mutex, a map in random order, a panic that is caught."""

import os
import subprocess

from recording import file, need, record_and_replay, scratch

file("main.rs", """
use std::{collections::HashMap, sync::{mpsc, Arc, Mutex}, thread, time::{Duration, Instant, SystemTime}};
fn main() {
    let (tx, rx) = mpsc::channel(); let total = Arc::new(Mutex::new(0u64)); let start = Instant::now();
    let handles: Vec<_> = (0..6u64).map(|n| { let tx = tx.clone(); let total = total.clone(); thread::spawn(move || {
        for i in 0..20 { *total.lock().unwrap() += n * i; if i % 7 == n % 7 { thread::sleep(Duration::from_micros(300)); } }
        tx.send(n).unwrap(); }) }).collect();
    drop(tx); let order: Vec<u64> = rx.iter().collect(); for h in handles { h.join().unwrap(); }
    let map: HashMap<u32, u32> = (0..12).map(|i| (i, i * i)).collect();
    println!("order {:?} total {} map {:?}", order, total.lock().unwrap(), map.keys().collect::<Vec<_>>());
    println!("{:?} {:?}", start.elapsed(), SystemTime::now());
    let caught = std::panic::catch_unwind(|| { let v: Vec<i32> = Vec::new(); v[std::process::id() as usize] }).is_err();
    println!("caught {} rust-done", caught); std::process::exit(8);
}
""")
rustc = need("rustc")
done = subprocess.run([rustc, "-O", "-o", "program", "main.rs"], cwd=scratch, capture_output=True, text=True, timeout=280,
                      env=dict(os.environ))
assert done.returncode == 0, done.stderr
record_and_replay(["./program"], ["total 2850", "caught true rust-done"], status=8)
