//go:build !purego

#include "textflag.h"

// FILL32 repeats a byte thirty-two times in y, whose lower half is x. It uses AX.
#define FILL32(byte, x, y) \
	MOVL $byte, AX; \
	VMOVD AX, x; \
	VPBROADCASTB x, y

// SAME32 clears R12 if the bytes of y that have a bit in R15 are zero. It needs zeroes in
// Y8 and uses Y9.
#define SAME32(y) \
	VPCMPEQB y, Y8, Y9; \
	VPMOVMSKB Y9, R12; \
	NOTQ R12; \
	ANDQ R15, R12

// MATCH64V sets a bit of AX for each of the 64 bytes at p that is the byte in y. It uses DX,
// Y4 and Y5.
#define MATCH64V(p, y) \
	VPCMPEQB 0(p), y, Y4; \
	VPCMPEQB 32(p), y, Y5; \
	VPMOVMSKB Y4, AX; \
	VPMOVMSKB Y5, DX; \
	SHLQ $32, DX; \
	ORQ  DX, AX

// func seekName(text *byte, size, at, end int, name *byte, n int, before, behind byte) (off, to, escapes int)
//
// A header may have the name if the right bytes stand before and behind it, and the name's middle
// character, but for its case, in the middle: so much is compared for 32 places at a time.
//
// SI is the text, BX the place before a name and CX the last one; so far from it R9 is
// the place behind, and R10 the middle of the name. Y0 is what stands before, Y1 behind, Y2 the
// bit of case, Y3 the middle of the name, Y7 its first 32 bytes, of which R15 has a bit for each.
// R8 is its length. AX has a bit for each candidate at hand, R13 is where the name of one starts.
TEXT ·seekName(SB), NOSPLIT, $0-80
	MOVQ name+32(FP), DI
	MOVQ n+40(FP), R8
	VPBROADCASTB before+48(FP), Y0
	VPBROADCASTB behind+49(FP), Y1
	FILL32(0x20, X2, Y2)
	VMOVDQU (DI), Y7
	VPXOR Y8, Y8, Y8
	MOVQ R8, CX
	MOVQ $32, DX
	CMPQ CX, DX
	CMOVQGT DX, CX
	MOVQ $1, R15
	SHLQ CX, R15
	DECQ R15
	VPXOR Y0, Y7, Y4
	VPCMPEQB Y4, Y8, Y4
	VPMOVMSKB Y4, DX
	TESTQ R15, DX
	JNZ  unsure

	MOVQ text+0(FP), SI
	SHRQ $1, CX
	VPBROADCASTB (DI)(CX*1), Y3
	VPOR Y2, Y3, Y3
	LEAQ 1(SI)(CX*1), R10
	LEAQ 1(SI)(R8*1), R9
	MOVQ size+8(FP), CX
	SUBQ R8, CX
	SUBQ $33, CX
	MOVQ at+16(FP), BX
	XORL AX, AX
	MOVQ BX, R13
	SUBQ $1, BX
	JLT  first
	CMPQ BX, CX
	JLE  block
	MOVQ CX, BX
	JMP  block

first:
	MOVQ $-32, BX // no block was looked at
	JMP  compare

block:
	VPCMPEQB (SI)(BX*1), Y0, Y4
	VPCMPEQB (R9)(BX*1), Y1, Y5
	VPOR (R10)(BX*1), Y2, Y6
	VPAND Y5, Y4, Y4
	VPCMPEQB Y6, Y3, Y6
	VPAND Y6, Y4, Y4
	VPMOVMSKB Y4, AX
	TESTL AX, AX
	JNZ  candidate

next:
	ADDQ $32, BX
	CMPQ BX, CX
	JLE  block
	LEAQ -32(BX), DX
	CMPQ DX, CX
	JGE  none
	MOVQ CX, BX // the last 32 places, some for the second time
	JMP  block

candidate:
	TZCNTL AX, R13
	LEAL -1(AX), DX
	ANDL DX, AX
	LEAQ 1(BX)(R13*1), R13
	CMPQ R13, at+16(FP)
	JLT  other

compare:
	CMPQ R13, end+24(FP)
	JGE  none
	LEAQ (SI)(R13*1), DI
	MOVBLZX behind+49(FP), DX
	CMPB (DI)(R8*1), DX
	JNE  other
	LEAQ 34(R13), R12
	CMPQ R12, size+8(FP)
	JGT  closer // behind the text there may be no memory
	VPXOR (DI), Y7, Y4
	SAME32(Y4)
	JZ   found
	VPANDN Y4, Y2, Y4
	SAME32(Y4)
	JZ   closer // the same but for its case, it seems

other:
	TESTL AX, AX
	JNZ  candidate
	JMP  next

found:
	CMPB before+48(FP), $0x0a
	JNE  closer
	CMPQ R8, $32
	JGT  closer
	CMPB 1(DI)(R8*1), $0x20
	JNE  closer // a value does not need the space
	LEAQ 2(DI)(R8*1), R10
	MOVQ size+8(FP), CX
	ADDQ SI, CX
	SUBQ R10, CX
	CMPQ CX, $64
	JLT  closer
	MATCH64V(R10, Y0)
	JZ   closer // a long value
	TZCNTQ AX, CX
	FILL32(0x25, X1, Y1)
	MATCH64V(R10, Y1)
	MOVQ $1, DX
	SHLQ CX, DX
	DECQ DX
	ANDQ DX, AX
	ADDQ R10, CX
	SUBQ SI, CX
	CMPB -1(SI)(CX*1), $0x0d
	JNE  ended
	DECQ CX

ended:
	VZEROUPPER
	MOVQ R13, off+56(FP)
	MOVQ CX, to+64(FP)
	MOVQ AX, escapes+72(FP)
	RET

closer:
	VZEROUPPER
	MOVQ R13, off+56(FP)
	MOVQ $-1, to+64(FP)
	RET

none:
	VZEROUPPER
	MOVQ $-1, off+56(FP)
	RET

unsure:
	VZEROUPPER
	MOVQ $-2, off+56(FP)
	RET

// func copyLines(to, text *byte, size int) (n int)
//
// SI is the text, DI where it goes, BX the place at hand, CX the last one. Y0 is line breaks, Y1
// carriage returns.
TEXT ·copyLines(SB), NOSPLIT, $0-32
	MOVQ to+0(FP), DI
	MOVQ text+8(FP), SI
	MOVQ size+16(FP), CX
	XORQ BX, BX
	SUBQ $65, CX
	JLT  end
	FILL32(0x0a, X0, Y0)
	FILL32(0x0d, X1, Y1)

block:
	VMOVDQU (SI)(BX*1), Y2
	VMOVDQU 32(SI)(BX*1), Y3
	VMOVDQU 1(SI)(BX*1), Y4
	VMOVDQU 33(SI)(BX*1), Y5
	VPCMPEQB Y2, Y0, Y6
	VPCMPEQB Y3, Y0, Y7
	VPMINUB Y4, Y1, Y8 // what is no greater than a carriage return
	VPMINUB Y5, Y1, Y9
	VPCMPEQB Y4, Y8, Y8
	VPCMPEQB Y5, Y9, Y9
	VPAND Y6, Y8, Y8
	VPAND Y7, Y9, Y9
	VPOR Y8, Y9, Y9
	VPTEST Y9, Y9
	JNZ  over
	VMOVDQU Y2, (DI)(BX*1)
	VMOVDQU Y3, 32(DI)(BX*1)
	ADDQ $64, BX
	CMPQ BX, CX
	JLE  block

over:
	VZEROUPPER

end:
	MOVQ BX, n+24(FP)
	RET
