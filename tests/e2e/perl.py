"""perl: hashes in random order, fork and pipes, sockets, alarm, sprintf of times."""

from recording import file, need, record_and_replay

SCRIPT = r"""
use strict; use warnings; $| = 1; use IO::Socket::INET; use Time::HiRes qw(time sleep);
my %h = map { ("key$_" => rand()) } 1 .. 20;
print join(",", keys %h), "\n";
pipe(my $r, my $w) or die; my $pid = fork();
if (!$pid) { close $r; print $w "child $$\n"; exit 6 }
close $w; print "read: ", <$r>; waitpid($pid, 0); print "status ", $? >> 8, "\n";
my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1") or die;
if (!fork()) { my $c = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $s->sockport) or die; print $c "hello\n"; exit 0 }
my $c = $s->accept; print "got ", scalar(<$c>); wait;
local $SIG{ALRM} = sub { die "alarm\n" }; eval { alarm 1; select(undef, undef, undef, 0.01); alarm 0 }; print "eval: $@\n";
print `echo backquoted \$\$`; printf "%.6f\n", time; my @l = sort { $a <=> $b } map { int rand 1000 } 1 .. 500;
print "@l[0..9]\n"; my $t = join "", map { chr(65 + $_ % 26) } 1 .. 100000; my $n = () = $t =~ /A.C/g; print "matches $n\n";
print "perl-done\n"; kill "TERM", $$; sleep 5;
"""

record_and_replay([need("perl"), file("script.pl", SCRIPT)], ["status 6", "got hello", "backquoted", "perl-done"], status=128 + 15)
