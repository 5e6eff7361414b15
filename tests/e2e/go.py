"""A Go program: goroutines on several threads, channels, timers, a TCP server, file I/O."""

import os
import subprocess

from recording import Recording, file, need, scratch

go = need("go")
file("main.go", """
package main

import ("fmt"; "io"; "math/rand"; "net"; "os"; "sync"; "time")

func main() {
	var wait sync.WaitGroup
	results := make(chan int, 10)
	for i := 0; i < 10; i++ {
		wait.Add(1)
		go func(n int) { defer wait.Done(); time.Sleep(time.Duration(rand.Intn(3)) * time.Millisecond); results <- n * n }(i)
	}
	go func() { wait.Wait(); close(results) }()
	sum := 0
	for r := range results { fmt.Print(r, " "); sum += r }
	fmt.Println("sum", sum, time.Now().UnixNano(), os.Getpid())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil { panic(err) }
	go func() { c, _ := listener.Accept(); io.Copy(c, c); c.Close() }()
	c, err := net.Dial("tcp", listener.Addr().String())
	if err != nil { panic(err) }
	c.Write([]byte("echoed")); c.(*net.TCPConn).CloseWrite()
	text, _ := io.ReadAll(c)
	fmt.Println(string(text), "go-done")
	os.Exit(7)
}
""")
environment = dict(os.environ, HOME=scratch, GOCACHE=os.path.join(scratch, "cache"), GOFLAGS="-mod=mod", GO111MODULE="off",
                   GOPROXY="off", GOTOOLCHAIN="local")
done = subprocess.run([go, "build", "-p", "2", "-o", "program", "main.go"], cwd=scratch, env=environment, capture_output=True,
                      text=True, timeout=280)
assert done.returncode == 0, done.stderr
recording = Recording(["./program"]).finish(120, status=7)
recording.check(b"sum 285" in recording.out and b"echoed go-done" in recording.out, "printed something else")
recording.replay(may_end_early=True)
