/* SPDX-License-Identifier: MIT
 *
 * switch_aarch64.S - AAPCS64, section 6.1: x19-x29, sp and the low halves of v8-v15 belong to the
 * caller; so does fpcr.
 *
 * A saved stack, from its top: fpcr, (unused), x19-x30, d8-d15: 176 bytes.
 */

/* What the caller owns goes to its stack, whose pointer then is what there is to keep. Uses x9. */
	.macro save_registers
	sub	sp, sp, #176
	.cfi_adjust_cfa_offset 176
	mrs	x9, fpcr
	str	x9, [sp]
	stp	x19, x20, [sp, #16]
	stp	x21, x22, [sp, #32]
	stp	x23, x24, [sp, #48]
	stp	x25, x26, [sp, #64]
	stp	x27, x28, [sp, #80]
	stp	x29, x30, [sp, #96]
	stp	d8, d9, [sp, #112]
	stp	d10, d11, [sp, #128]
	stp	d12, d13, [sp, #144]
	stp	d14, d15, [sp, #160]
	.endm

/* The reverse, once sp is the pointer that was kept. Uses x9. */
	.macro restore_registers
	ldr	x9, [sp]
	msr	fpcr, x9
	ldp	x19, x20, [sp, #16]
	ldp	x21, x22, [sp, #32]
	ldp	x23, x24, [sp, #48]
	ldp	x25, x26, [sp, #64]
	ldp	x27, x28, [sp, #80]
	ldp	x29, x30, [sp, #96]
	ldp	d8, d9, [sp, #112]
	ldp	d10, d11, [sp, #128]
	ldp	d12, d13, [sp, #144]
	ldp	d14, d15, [sp, #160]
	add	sp, sp, #176
	.cfi_adjust_cfa_offset -176
	.endm

	.text

	.globl	belay__context_switch
	.hidden	belay__context_switch
	.type	belay__context_switch, %function
	.p2align 4
belay__context_switch:
	.cfi_startproc
	save_registers
	mov	x9, sp
	str	x9, [x0]
	ldr	x9, [x1]
.Lrestore:
	mov	sp, x9
	restore_registers
	ret
	.cfi_endproc
	.size	belay__context_switch, . - belay__context_switch

/* belay__context_start(from, low, size, entry, arg, control): entry is called, and its return is
 * what that call foretells. Nothing called entry: unwinders stop here. */
	.globl	belay__context_start
	.hidden	belay__context_start
	.type	belay__context_start, %function
	.p2align 4
belay__context_start:
	.cfi_startproc
	save_registers
	mov	x9, sp
	str	x9, [x0]
	.cfi_undefined x30
	add	x9, x1, x2
	and	x9, x9, #-16
	mov	sp, x9
	ldr	x9, [x5]
	msr	fpcr, x9
	mov	x29, xzr
	mov	x0, x4
	blr	x3
	ldr	x9, [x0]
	b	.Lrestore
	.cfi_endproc
	.size	belay__context_start, . - belay__context_start

/* belay__control_get(control) */
	.globl	belay__control_get
	.hidden	belay__control_get
	.type	belay__control_get, %function
	.p2align 4
belay__control_get:
	.cfi_startproc
	mrs	x9, fpcr
	str	x9, [x0]
	ret
	.cfi_endproc
	.size	belay__control_get, . - belay__control_get

	.globl	belay__control_set
	.hidden	belay__control_set
	.type	belay__control_set, %function
	.p2align 4
belay__control_set:
	.cfi_startproc
	ldr	x9, [x0]
	msr	fpcr, x9
	ret
	.cfi_endproc
	.size	belay__control_set, . - belay__control_set

	.section .note.GNU-stack, "", %progbits
