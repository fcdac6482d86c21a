/* SPDX-License-Identifier: MIT
 *
 * switch_riscv64.S - RISC-V ELF psABI, section 1 (LP64D): s0-s11, fs0-fs11 and sp belong to the
 * caller; so does the rounding mode in fcsr.
 *
 * A saved stack, from its top: fcsr, ra, s0-s11, fs0-fs11: 208 bytes.
 */

/* What the caller owns goes to its stack, whose pointer then is what there is to keep. Uses t0. */
	.macro save_registers
	addi	sp, sp, -208
	.cfi_adjust_cfa_offset 208
	frcsr	t0
	sd	t0, 0(sp)
	sd	ra, 8(sp)
	sd	s0, 16(sp)
	sd	s1, 24(sp)
	sd	s2, 32(sp)
	sd	s3, 40(sp)
	sd	s4, 48(sp)
	sd	s5, 56(sp)
	sd	s6, 64(sp)
	sd	s7, 72(sp)
	sd	s8, 80(sp)
	sd	s9, 88(sp)
	sd	s10, 96(sp)
	sd	s11, 104(sp)
	fsd	fs0, 112(sp)
	fsd	fs1, 120(sp)
	fsd	fs2, 128(sp)
	fsd	fs3, 136(sp)
	fsd	fs4, 144(sp)
	fsd	fs5, 152(sp)
	fsd	fs6, 160(sp)
	fsd	fs7, 168(sp)
	fsd	fs8, 176(sp)
	fsd	fs9, 184(sp)
	fsd	fs10, 192(sp)
	fsd	fs11, 200(sp)
	.endm

/* The reverse, once sp is the pointer that was kept. Uses t0. */
	.macro restore_registers
	ld	t0, 0(sp)
	fscsr	t0
	ld	ra, 8(sp)
	ld	s0, 16(sp)
	ld	s1, 24(sp)
	ld	s2, 32(sp)
	ld	s3, 40(sp)
	ld	s4, 48(sp)
	ld	s5, 56(sp)
	ld	s6, 64(sp)
	ld	s7, 72(sp)
	ld	s8, 80(sp)
	ld	s9, 88(sp)
	ld	s10, 96(sp)
	ld	s11, 104(sp)
	fld	fs0, 112(sp)
	fld	fs1, 120(sp)
	fld	fs2, 128(sp)
	fld	fs3, 136(sp)
	fld	fs4, 144(sp)
	fld	fs5, 152(sp)
	fld	fs6, 160(sp)
	fld	fs7, 168(sp)
	fld	fs8, 176(sp)
	fld	fs9, 184(sp)
	fld	fs10, 192(sp)
	fld	fs11, 200(sp)
	addi	sp, sp, 208
	.cfi_adjust_cfa_offset -208
	.endm

	.text

	.globl	belay__context_switch
	.hidden	belay__context_switch
	.type	belay__context_switch, @function
	.p2align 2
belay__context_switch:
	.cfi_startproc
	save_registers
	sd	sp, 0(a0)
	mv	a0, a1
.Lrestore:
	ld	sp, 0(a0)
	restore_registers
	ret
	.cfi_endproc
	.size	belay__context_switch, . - belay__context_switch

/* belay__context_start(from, low, size, entry, arg, control): entry is called, and its return is
 * what that call foretells. Nothing called entry: unwinders stop here. */
	.globl	belay__context_start
	.hidden	belay__context_start
	.type	belay__context_start, @function
	.p2align 2
belay__context_start:
	.cfi_startproc
	save_registers
	sd	sp, 0(a0)
	.cfi_undefined ra
	add	t0, a1, a2
	andi	sp, t0, -16
	ld	t0, 0(a5)
	fsrm	t0
	li	s0, 0
	mv	a0, a4
	jalr	a3
	j	.Lrestore
	.cfi_endproc
	.size	belay__context_start, . - belay__context_start

/* belay__control_get(control): frm alone; the flags beside it in fcsr are no control words. */
	.globl	belay__control_get
	.hidden	belay__control_get
	.type	belay__control_get, @function
	.p2align 2
belay__control_get:
	.cfi_startproc
	frrm	t0
	sd	t0, 0(a0)
	ret
	.cfi_endproc
	.size	belay__control_get, . - belay__control_get

	.globl	belay__control_set
	.hidden	belay__control_set
	.type	belay__control_set, @function
	.p2align 2
belay__control_set:
	.cfi_startproc
	ld	t0, 0(a0)
	fsrm	t0
	ret
	.cfi_endproc
	.size	belay__control_set, . - belay__control_set

	.section .note.GNU-stack, "", @progbits
