"""A heap corruption is found from the crash, backwards: a watchpoint on the broken pointer leads to who wrote it."""

from debugging import compiled, gdb, recorded, run_scenarios, scenario

PROGRAM = r"""
#include <stdlib.h>
#include <string.h>
struct node { char name[16]; struct node* next; };
static struct node* head;
static void add(const char* name) {
  struct node* n = malloc(sizeof *n);
  strncpy(n->name, name, sizeof n->name);
  n->next = head;
  head = n;
}
static void rename_node(struct node* n, const char* name) {
  for (int i = 0; name[i]; i++) n->name[i] = name[i];
}
static int length(void) {
  int n = 0;
  for (struct node* p = head; p; p = p->next) n += strlen(p->name) > 0;
  return n;
}
int main(void) {
  for (int i = 0; i < 50; i++) add("a node");
  rename_node(head->next, "much longer than sixteen");
  return length();
}
"""

trace = recorded(compiled(PROGRAM), status=139)


@scenario
def a_heap_corruption_is_found_by_watching_backwards():
    gdb(trace, "bt 1", "print p", "print &head->next->next", "watch -l head->next->next", "reverse-continue", "bt 2", "print i",
        "print n == head->next", "delete", "reverse-next", "reverse-next", options=["--at-end"]).expect(
            r"SIGSEGV|length \(\)", r"#0 .*length", r"\$1 = \(struct node \*\) 0x", r"Hardware watchpoint 1",
            r"Old value = ", r"#0 .*rename_node", r"#1 .*main", r"\$3 = 2[0-3]", r"\$4 = 1",
            r"^22\s+rename_node.head->next")


run_scenarios()
