"""java: a small program with threads. Where it needs preemption, the recording ends cleanly."""

import os
import subprocess

from recording import Recording, file, need, scratch

java, javac = need("java", "javac")
file("Main.java", """
import java.util.*; import java.util.concurrent.*;
public class Main {
  public static void main(String[] a) throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(3); List<Future<Integer>> results = new ArrayList<>();
    for (int i = 0; i < 20; i++) { final int n = i; results.add(pool.submit(() -> { Thread.sleep(2); return n * n; })); }
    int sum = 0; for (Future<Integer> f : results) sum += f.get(); pool.shutdown();
    System.out.println("sum " + sum + " at " + System.nanoTime() + " " + new Object().hashCode() + " " + Math.random());
    System.out.println("java-done"); System.exit(5);
  }
}
""")
subprocess.run([javac, "-d", scratch, os.path.join(scratch, "Main.java")], check=True, timeout=200)
recording = Recording([java, "-Xmx128m", "-XX:-UsePerfData", "-cp", scratch, "Main"]).finish(250, status=5)
recording.check(b"sum 2470" in recording.out and b"java-done" in recording.out, "printed something else")
recording.replay(may_end_early=True)
