// A program without a C library: writes, reads the clock through the system call, forks, exits.
        .globl _start
        .text
_start:
        mov     $57, %eax               // fork
        syscall
        test    %rax, %rax
        js      bad
        jz      child
        mov     %rax, %rdi              // wait4(child, &status, 0, 0)
        lea     status(%rip), %rsi
        xor     %edx, %edx
        xor     %r10d, %r10d
        mov     $61, %eax
        syscall
        cmpl    $0x0900, status(%rip)
        jne     bad
        mov     $228, %eax              // clock_gettime(CLOCK_MONOTONIC)
        mov     $1, %edi
        lea     time(%rip), %rsi
        syscall
        test    %rax, %rax
        jnz     bad
        mov     time+8(%rip), %rax      // print the nanoseconds, lowest digit first
        lea     digits(%rip), %r8
        mov     $9, %ecx
        mov     $10, %r9d
next:   xor     %edx, %edx
        div     %r9
        add     $'0', %dl
        mov     %dl, (%r8)
        inc     %r8
        dec     %ecx
        jnz     next
        mov     $1, %eax                // write
        mov     $1, %edi
        lea     digits(%rip), %rsi
        mov     $(end - digits), %edx
        syscall
        cmp     $(end - digits), %rax
        jne     bad
        xor     %edi, %edi
        jmp     leave
child:  mov     $9, %edi
        jmp     leave
bad:    mov     $99, %edi
leave:  mov     $231, %eax              // exit_group
        syscall
        hlt

        .data
time:   .quad   0, 0
status: .long   0
digits: .ascii  "000000000\nEXIT-SUCCESS\n"
end:
        .section .note.GNU-stack, "", @progbits
