/* SPDX-License-Identifier: MIT
 *
 * switch_x86_64.S - System V AMD64 psABI, section 3.2.1: rbx, rbp, r12-r15, the x87 control word
 * and mxcsr's control bits belong to the caller.
 *
 * A saved stack, from its top: mxcsr and control word (8 bytes), r15, r14, r13, r12, rbx, rbp,
 * return address. The words are loaded only where they differ (but for mxcsr's flags, its lowest
 * six bits, which belong to nobody): loading them takes as long as all the rest.
 */

/* What the caller owns goes to its stack, whose pointer then is what there is to keep. */
	.macro save_registers
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	pushq	%rbx
	.cfi_adjust_cfa_offset 8
	pushq	%r12
	.cfi_adjust_cfa_offset 8
	pushq	%r13
	.cfi_adjust_cfa_offset 8
	pushq	%r14
	.cfi_adjust_cfa_offset 8
	pushq	%r15
	.cfi_adjust_cfa_offset 8
	subq	$8, %rsp
	.cfi_adjust_cfa_offset 8
	stmxcsr	(%rsp)
	fnstcw	4(%rsp)
	.endm

/* The reverse; the control words, which mostly are right already, are loaded before it. */
	.macro restore_registers
	addq	$8, %rsp
	.cfi_adjust_cfa_offset -8
	popq	%r15
	.cfi_adjust_cfa_offset -8
	popq	%r14
	.cfi_adjust_cfa_offset -8
	popq	%r13
	.cfi_adjust_cfa_offset -8
	popq	%r12
	.cfi_adjust_cfa_offset -8
	popq	%rbx
	.cfi_adjust_cfa_offset -8
	popq	%rbp
	.cfi_adjust_cfa_offset -8
	.endm

	.text

	.globl	belay__context_switch
	.hidden	belay__context_switch
	.type	belay__context_switch, @function
	.p2align 4
belay__context_switch:
	.cfi_startproc
	save_registers
	movl	(%rsp), %eax
	movzwl	4(%rsp), %ecx
	movq	%rsp, (%rdi)
	movq	(%rsi), %rsp
	xorl	(%rsp), %eax
	xorw	4(%rsp), %cx
	andl	$0xffffffc0, %eax
	orl	%ecx, %eax
	jnz	.Lload
.Lrestore:
	restore_registers
	ret
	.cfi_adjust_cfa_offset 56
.Lload:
	ldmxcsr	(%rsp)
	fldcw	4(%rsp)
	jmp	.Lrestore
	.cfi_endproc
	.size	belay__context_switch, . - belay__context_switch

/* belay__context_start(from, low, size, entry, arg, control)
 *
 * No jump here goes elsewhere than the processor expects: entry is called, and its return is what
 * that call foretells; and the return at the end is foretold by the call of this function, where
 * that is what is gone back to. Nothing called entry: unwinders stop here. */
	.globl	belay__context_start
	.hidden	belay__context_start
	.type	belay__context_start, @function
	.p2align 4
belay__context_start:
	.cfi_startproc
	save_registers
	movl	(%rsp), %eax
	movzwl	4(%rsp), %r10d
	movq	%rsp, (%rdi)
	.cfi_remember_state
	.cfi_undefined rip
	leaq	(%rsi, %rdx), %rsp
	andq	$-16, %rsp
	xorl	(%r9), %eax
	xorw	4(%r9), %r10w
	andl	$0xffffffc0, %eax
	orl	%r10d, %eax
	jnz	2f
1:	xorl	%ebp, %ebp
	movq	%r8, %rdi
	call	*%rcx
	movq	(%rax), %rsp
	.cfi_restore_state
	jmp	.Lload
2:	.cfi_undefined rip
	ldmxcsr	(%r9)
	fldcw	4(%r9)
	jmp	1b
	.cfi_endproc
	.size	belay__context_start, . - belay__context_start

/* belay__control_get(control): mxcsr, then the x87 control word. */
	.globl	belay__control_get
	.hidden	belay__control_get
	.type	belay__control_get, @function
	.p2align 4
belay__control_get:
	.cfi_startproc
	stmxcsr	(%rdi)
	fnstcw	4(%rdi)
	ret
	.cfi_endproc
	.size	belay__control_get, . - belay__control_get

	.globl	belay__control_set
	.hidden	belay__control_set
	.type	belay__control_set, @function
	.p2align 4
belay__control_set:
	.cfi_startproc
	ldmxcsr	(%rdi)
	fldcw	4(%rdi)
	ret
	.cfi_endproc
	.size	belay__control_set, . - belay__control_set

	.section .note.GNU-stack, "", @progbits
