; C[m,n] = A[m,k] B[k,n]: bf16, sums in f32. A block of four warps makes 64 by 64 of C, a
; warp 32 by 32; a ring of three stages of 32 of k is filled with cp.async. Rows of A
; beyond m are filled with zeros; n is a multiple of 64 and k of 32.
target triple = "nvptx64-nvidia-cuda"
@ring = external addrspace(3) global [0 x i8], align 16
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.y()
declare void @llvm.nvvm.barrier0()
declare void @llvm.nvvm.cp.async.cg.shared.global.16.s(ptr addrspace(3), ptr addrspace(1), i32)
declare void @llvm.nvvm.cp.async.cg.shared.global.16(ptr addrspace(3), ptr addrspace(1))
declare void @llvm.nvvm.cp.async.commit.group()
declare void @llvm.nvvm.cp.async.wait.group(i32)
declare {i32, i32, i32, i32} @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3(ptr addrspace(3))
declare {i32, i32, i32, i32} @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16.p3(ptr addrspace(3))
declare {float, float, float, float} @llvm.nvvm.mma.m16n8k16.row.col.bf16(i32, i32, i32, i32, i32, i32, float, float, float, float)

; Issues this thread's part of the copies of k-block kt into a stage.
define internal void @fill(ptr addrspace(1) %A, ptr addrspace(1) %B, i32 %m, i32 %n, i32 %k, i32 %kt, i32 %stage) alwaysinline {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %bx = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %by = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.y()
  %base = mul i32 %stage, 8192
  %sp = getelementptr i8, ptr addrspace(3) @ring, i32 %base
  %k0 = mul i32 %kt, 32
  %c0 = add i32 %t, 0
  %ar0 = lshr i32 %c0, 2
  %ac0 = and i32 %c0, 3
  %ah0 = lshr i32 %ar0, 1
  %as0 = xor i32 %ac0, %ah0
  %aw0 = and i32 %as0, 3
  %ao0 = mul i32 %ar0, 64
  %ap0 = mul i32 %aw0, 16
  %aq0 = add i32 %ao0, %ap0
  %ad0 = getelementptr i8, ptr addrspace(3) %sp, i32 %aq0
  %by0 = mul i32 %by, 64
  %row0 = add i32 %by0, %ar0
  %in0 = icmp slt i32 %row0, %m
  %rows0 = select i1 %in0, i32 %row0, i32 0
  %sz0 = select i1 %in0, i32 16, i32 0
  %ga0 = mul i32 %rows0, %k
  %gb0 = add i32 %ga0, %k0
  %gc0 = mul i32 %ac0, 8
  %gd0 = add i32 %gb0, %gc0
  %ge0 = sext i32 %gd0 to i64
  %gp0 = getelementptr i16, ptr addrspace(1) %A, i64 %ge0
  call void @llvm.nvvm.cp.async.cg.shared.global.16.s(ptr addrspace(3) %ad0, ptr addrspace(1) %gp0, i32 %sz0)
  %br0 = lshr i32 %c0, 3
  %bc0 = and i32 %c0, 7
  %bh0 = and i32 %br0, 7
  %bs0 = xor i32 %bc0, %bh0
  %bo0 = mul i32 %br0, 128
  %bp0 = mul i32 %bs0, 16
  %bq0 = add i32 %bo0, %bp0
  %bz0 = add i32 %bq0, 4096
  %bd0 = getelementptr i8, ptr addrspace(3) %sp, i32 %bz0
  %kr0 = add i32 %k0, %br0
  %ha0 = mul i32 %kr0, %n
  %hb0 = mul i32 %bx, 64
  %hc0 = mul i32 %bc0, 8
  %hd0 = add i32 %ha0, %hb0
  %he0 = add i32 %hd0, %hc0
  %hf0 = sext i32 %he0 to i64
  %hp0 = getelementptr i16, ptr addrspace(1) %B, i64 %hf0
  call void @llvm.nvvm.cp.async.cg.shared.global.16(ptr addrspace(3) %bd0, ptr addrspace(1) %hp0)
  %c1 = add i32 %t, 128
  %ar1 = lshr i32 %c1, 2
  %ac1 = and i32 %c1, 3
  %ah1 = lshr i32 %ar1, 1
  %as1 = xor i32 %ac1, %ah1
  %aw1 = and i32 %as1, 3
  %ao1 = mul i32 %ar1, 64
  %ap1 = mul i32 %aw1, 16
  %aq1 = add i32 %ao1, %ap1
  %ad1 = getelementptr i8, ptr addrspace(3) %sp, i32 %aq1
  %by1 = mul i32 %by, 64
  %row1 = add i32 %by1, %ar1
  %in1 = icmp slt i32 %row1, %m
  %rows1 = select i1 %in1, i32 %row1, i32 0
  %sz1 = select i1 %in1, i32 16, i32 0
  %ga1 = mul i32 %rows1, %k
  %gb1 = add i32 %ga1, %k0
  %gc1 = mul i32 %ac1, 8
  %gd1 = add i32 %gb1, %gc1
  %ge1 = sext i32 %gd1 to i64
  %gp1 = getelementptr i16, ptr addrspace(1) %A, i64 %ge1
  call void @llvm.nvvm.cp.async.cg.shared.global.16.s(ptr addrspace(3) %ad1, ptr addrspace(1) %gp1, i32 %sz1)
  %br1 = lshr i32 %c1, 3
  %bc1 = and i32 %c1, 7
  %bh1 = and i32 %br1, 7
  %bs1 = xor i32 %bc1, %bh1
  %bo1 = mul i32 %br1, 128
  %bp1 = mul i32 %bs1, 16
  %bq1 = add i32 %bo1, %bp1
  %bz1 = add i32 %bq1, 4096
  %bd1 = getelementptr i8, ptr addrspace(3) %sp, i32 %bz1
  %kr1 = add i32 %k0, %br1
  %ha1 = mul i32 %kr1, %n
  %hb1 = mul i32 %bx, 64
  %hc1 = mul i32 %bc1, 8
  %hd1 = add i32 %ha1, %hb1
  %he1 = add i32 %hd1, %hc1
  %hf1 = sext i32 %he1 to i64
  %hp1 = getelementptr i16, ptr addrspace(1) %B, i64 %hf1
  call void @llvm.nvvm.cp.async.cg.shared.global.16(ptr addrspace(3) %bd1, ptr addrspace(1) %hp1)
  ret void
}

define ptx_kernel void @gemm(ptr addrspace(1) noalias readonly %A, ptr addrspace(1) noalias readonly %B, ptr addrspace(1) noalias %C, i32 %m, i32 %n, i32 %k) {
entry:
  %nk = lshr i32 %k, 5
  call void @fill(ptr addrspace(1) %A, ptr addrspace(1) %B, i32 %m, i32 %n, i32 %k, i32 0, i32 0)
  call void @llvm.nvvm.cp.async.commit.group()
  %two = icmp sgt i32 %nk, 1
  br i1 %two, label %second, label %begin
second:
  call void @fill(ptr addrspace(1) %A, ptr addrspace(1) %B, i32 %m, i32 %n, i32 %k, i32 1, i32 1)
  br label %begin
begin:
  call void @llvm.nvvm.cp.async.commit.group()
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %lane = and i32 %t, 31
  %wp = lshr i32 %t, 5
  %wm = lshr i32 %wp, 1
  %wn = and i32 %wp, 1
  %l15 = and i32 %lane, 15
  %l16 = lshr i32 %lane, 4
  br label %loop
loop:
  %kt = phi i32 [0, %begin], [%kt1, %work]
  %st = phi i32 [0, %begin], [%st1, %work]
  %acc000 = phi float [0.0, %begin], [%new000, %work]
  %acc001 = phi float [0.0, %begin], [%new001, %work]
  %acc002 = phi float [0.0, %begin], [%new002, %work]
  %acc003 = phi float [0.0, %begin], [%new003, %work]
  %acc010 = phi float [0.0, %begin], [%new010, %work]
  %acc011 = phi float [0.0, %begin], [%new011, %work]
  %acc012 = phi float [0.0, %begin], [%new012, %work]
  %acc013 = phi float [0.0, %begin], [%new013, %work]
  %acc020 = phi float [0.0, %begin], [%new020, %work]
  %acc021 = phi float [0.0, %begin], [%new021, %work]
  %acc022 = phi float [0.0, %begin], [%new022, %work]
  %acc023 = phi float [0.0, %begin], [%new023, %work]
  %acc030 = phi float [0.0, %begin], [%new030, %work]
  %acc031 = phi float [0.0, %begin], [%new031, %work]
  %acc032 = phi float [0.0, %begin], [%new032, %work]
  %acc033 = phi float [0.0, %begin], [%new033, %work]
  %acc100 = phi float [0.0, %begin], [%new100, %work]
  %acc101 = phi float [0.0, %begin], [%new101, %work]
  %acc102 = phi float [0.0, %begin], [%new102, %work]
  %acc103 = phi float [0.0, %begin], [%new103, %work]
  %acc110 = phi float [0.0, %begin], [%new110, %work]
  %acc111 = phi float [0.0, %begin], [%new111, %work]
  %acc112 = phi float [0.0, %begin], [%new112, %work]
  %acc113 = phi float [0.0, %begin], [%new113, %work]
  %acc120 = phi float [0.0, %begin], [%new120, %work]
  %acc121 = phi float [0.0, %begin], [%new121, %work]
  %acc122 = phi float [0.0, %begin], [%new122, %work]
  %acc123 = phi float [0.0, %begin], [%new123, %work]
  %acc130 = phi float [0.0, %begin], [%new130, %work]
  %acc131 = phi float [0.0, %begin], [%new131, %work]
  %acc132 = phi float [0.0, %begin], [%new132, %work]
  %acc133 = phi float [0.0, %begin], [%new133, %work]
  call void @llvm.nvvm.cp.async.wait.group(i32 1)
  call void @llvm.nvvm.barrier0()
  %ahead = add i32 %kt, 2
  %more = icmp slt i32 %ahead, %nk
  br i1 %more, label %next, label %work
next:
  %sa = add i32 %st, 2
  %sw = icmp sge i32 %sa, 3
  %sb = sub i32 %sa, 3
  %sc = select i1 %sw, i32 %sb, i32 %sa
  call void @fill(ptr addrspace(1) %A, ptr addrspace(1) %B, i32 %m, i32 %n, i32 %k, i32 %ahead, i32 %sc)
  br label %work
work:
  call void @llvm.nvvm.cp.async.commit.group()
  %so = mul i32 %st, 8192
  %sp = getelementptr i8, ptr addrspace(3) @ring, i32 %so
  %ra00 = mul i32 %wm, 32
  %rb00 = add i32 %ra00, 0
  %rc00 = add i32 %rb00, %l15
  %rd00 = lshr i32 %rc00, 1
  %re00 = add i32 %l16, 0
  %rf00 = xor i32 %re00, %rd00
  %rg00 = and i32 %rf00, 3
  %rh00 = mul i32 %rc00, 64
  %ri00 = mul i32 %rg00, 16
  %rj00 = add i32 %rh00, %ri00
  %rp00 = getelementptr i8, ptr addrspace(3) %sp, i32 %rj00
  %rv00 = call {i32, i32, i32, i32} @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3(ptr addrspace(3) %rp00)
  %a000 = extractvalue {i32, i32, i32, i32} %rv00, 0
  %a001 = extractvalue {i32, i32, i32, i32} %rv00, 1
  %a002 = extractvalue {i32, i32, i32, i32} %rv00, 2
  %a003 = extractvalue {i32, i32, i32, i32} %rv00, 3
  %ra01 = mul i32 %wm, 32
  %rb01 = add i32 %ra01, 16
  %rc01 = add i32 %rb01, %l15
  %rd01 = lshr i32 %rc01, 1
  %re01 = add i32 %l16, 0
  %rf01 = xor i32 %re01, %rd01
  %rg01 = and i32 %rf01, 3
  %rh01 = mul i32 %rc01, 64
  %ri01 = mul i32 %rg01, 16
  %rj01 = add i32 %rh01, %ri01
  %rp01 = getelementptr i8, ptr addrspace(3) %sp, i32 %rj01
  %rv01 = call {i32, i32, i32, i32} @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3(ptr addrspace(3) %rp01)
  %a010 = extractvalue {i32, i32, i32, i32} %rv01, 0
  %a011 = extractvalue {i32, i32, i32, i32} %rv01, 1
  %a012 = extractvalue {i32, i32, i32, i32} %rv01, 2
  %a013 = extractvalue {i32, i32, i32, i32} %rv01, 3
  %sa00 = add i32 %l15, 0
  %sb00 = and i32 %sa00, 7
  %sc00 = mul i32 %wn, 4
  %sd00 = add i32 %sc00, 0
  %se00 = add i32 %sd00, %l16
  %sf00 = xor i32 %se00, %sb00
  %sg00 = mul i32 %sf00, 16
  %sh00 = mul i32 %sa00, 128
  %si00 = add i32 %sg00, %sh00
  %sj00 = add i32 %si00, 4096
  %sq00 = getelementptr i8, ptr addrspace(3) %sp, i32 %sj00
  %sv00 = call {i32, i32, i32, i32} @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16.p3(ptr addrspace(3) %sq00)
  %b000 = extractvalue {i32, i32, i32, i32} %sv00, 0
  %b001 = extractvalue {i32, i32, i32, i32} %sv00, 1
  %b002 = extractvalue {i32, i32, i32, i32} %sv00, 2
  %b003 = extractvalue {i32, i32, i32, i32} %sv00, 3
  %sa01 = add i32 %l15, 0
  %sb01 = and i32 %sa01, 7
  %sc01 = mul i32 %wn, 4
  %sd01 = add i32 %sc01, 2
  %se01 = add i32 %sd01, %l16
  %sf01 = xor i32 %se01, %sb01
  %sg01 = mul i32 %sf01, 16
  %sh01 = mul i32 %sa01, 128
  %si01 = add i32 %sg01, %sh01
  %sj01 = add i32 %si01, 4096
  %sq01 = getelementptr i8, ptr addrspace(3) %sp, i32 %sj01
  %sv01 = call {i32, i32, i32, i32} @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16.p3(ptr addrspace(3) %sq01)
  %b010 = extractvalue {i32, i32, i32, i32} %sv01, 0
  %b011 = extractvalue {i32, i32, i32, i32} %sv01, 1
  %b012 = extractvalue {i32, i32, i32, i32} %sv01, 2
  %b013 = extractvalue {i32, i32, i32, i32} %sv01, 3
  %m000 = call {float, float, float, float} @llvm.nvvm.mma.m16n8k16.row.col.bf16(i32 %a000, i32 %a001, i32 %a002, i32 %a003, i32 %b000, i32 %b001, float %acc000, float %acc001, float %acc002, float %acc003)
  %mid000 = extractvalue {float, float, float, float} %m000, 0
  %mid001 = extractvalue {float, float, float, float} %m000, 1
  %mid002 = extractvalue {float, float, float, float} %m000, 2
  %mid003 = extractvalue {float, float, float, float} %m000, 3
  %m001 = call {float, float, float, float} @llvm.nvvm.mma.m16n8k16.row.col.bf16(i32 %a000, i32 %a001, i32 %a002, i32 %a003, i32 %b002, i32 %b003, float %acc010, float %acc011, float %acc012, float %acc013)
  %mid010 = extractvalue {float, float, float, float} %m001, 0
  %mid011 = extractvalue {float, float, float, float} %m001, 1
  %mid012 = extractvalue {float, float, float, float} %m001, 2
  %mid013 = extractvalue {float, float, float, float} %m001, 3
  %m002 = call {float, float, float, float} @llvm.nvvm.mma.m16n8k16.row.col.bf16(i32 %a000, i32 %a001, i32 %a002, i32 %a003, i32 %b010, i32 %b011, float %acc020, float %acc021, float %acc022, float %acc023)
  %mid020 = extractvalue {float, float, float, float} %m002, 0
  %mid021 = extractvalue {float, float, float, float} %m002, 1
  %mid022 = extractvalue {float, float, float, float} %m002, 2
  %mid023 = extractvalue {float, float, float, float} %m002, 3
  %m003 = call {float, float, float, float} @llvm.nvvm.mma.m16n8k16.row.col.bf16(i32 %a000, i32 %a001, i32 %a002, i32 %a003, i32 %b012, i32 %b013, float %acc030, float %acc031, float %acc032, float %acc033)
  %mid030 = extractvalue {float, float, float, float} %m003, 0
  %mid031 = extractvalue {float, float, float, float} %m003, 1
  %mid032 = extractvalue {float, float, float, float} %m003, 2
  %mid033 = extractvalue {float, float, float, float} %m003, 3
  %m010 = call {float, float, float, float} @llvm.nvvm.mma.m16n8k16.row.col.bf16(i32 %a010, i32 %a011, i32 %a012, i32 %a013, i32 %b000, i32 %b001, float %acc100, float %acc101, float %acc102, float %acc103)
  %mid100 = extractvalue {float, float, float, float} %m010, 0
  %mid101 = extractvalue {float, float, float, float} %m010, 1
  %mid102 = extractvalue {float, float, float, float} %m010, 2
  %mid103 = extractvalue {float, float, float, float} %m010, 3
  %m011 = call {float, float, float, float} @llvm.nvvm.mma.m16n8k16.row.col.bf16(i32 %a010, i32 %a011, i32 %a012, i32 %a013, i32 %b002, i32 %b003, float %acc110, float %acc111, float %acc112, float %acc113)
  %mid110 = extractvalue {float, float, float, float} %m011, 0
  %mid111 = extractvalue {float, float, float, float} %m011, 1
  %mid112 = extractvalue {float, float, float, float} %m011, 2
  %mid113 = extractvalue {float, float, float, float} %m011, 3
  %m012 = call {float, float, float, float} @llvm.nvvm.mma.m16n8k16.row.col.bf16(i32 %a010, i32 %a011, i32 %a012, i32 %a013, i32 %b010, i32 %b011, float %acc120, float %acc121, float %acc122, float %acc123)
  %mid120 = extractvalue {float, float, float, float} %m012, 0
  %mid121 = extractvalue {float, float, float, float} %m012, 1
  %mid122 = extractvalue {float, float, float, float} %m012, 2
  %mid123 = extractvalue {float, float, float, float} %m012, 3
  %m013 = call {float, float, float, float} @llvm.nvvm.mma.m16n8k16.row.col.bf16(i32 %a010, i32 %a011, i32 %a012, i32 %a013, i32 %b012, i32 %b013, float %acc130, float %acc131, float %acc132, float %acc133)
  %mid130 = extractvalue {float, float, float, float} %m013, 0
  %mid131 = extractvalue {float, float, float, float} %m013, 1
  %mid132 = extractvalue {float, float, float, float} %m013, 2
  %mid133 = extractvalue {float, float, float, float} %m013, 3
  %ra10 = mul i32 %wm, 32
  %rb10 = add i32 %ra10, 0
  %rc10 = add i32 %rb10, %l15
  %rd10 = lshr i32 %rc10, 1
  %re10 = add i32 %l16, 2
  %rf10 = xor i32 %re10, %rd10
  %rg10 = and i32 %rf10, 3
  %rh10 = mul i32 %rc10, 64
  %ri10 = mul i32 %rg10, 16
  %rj10 = add i32 %rh10, %ri10
  %rp10 = getelementptr i8, ptr addrspace(3) %sp, i32 %rj10
  %rv10 = call {i32, i32, i32, i32} @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3(ptr addrspace(3) %rp10)
  %a100 = extractvalue {i32, i32, i32, i32} %rv10, 0
  %a101 = extractvalue {i32, i32, i32, i32} %rv10, 1
  %a102 = extractvalue {i32, i32, i32, i32} %rv10, 2
  %a103 = extractvalue {i32, i32, i32, i32} %rv10, 3
  %ra11 = mul i32 %wm, 32
  %rb11 = add i32 %ra11, 16
  %rc11 = add i32 %rb11, %l15
  %rd11 = lshr i32 %rc11, 1
  %re11 = add i32 %l16, 2
  %rf11 = xor i32 %re11, %rd11
  %rg11 = and i32 %rf11, 3
  %rh11 = mul i32 %rc11, 64
  %ri11 = mul i32 %rg11, 16
  %rj11 = add i32 %rh11, %ri11
  %rp11 = getelementptr i8, ptr addrspace(3) %sp, i32 %rj11
  %rv11 = call {i32, i32, i32, i32} @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3(ptr addrspace(3) %rp11)
  %a110 = extractvalue {i32, i32, i32, i32} %rv11, 0
  %a111 = extractvalue {i32, i32, i32, i32} %rv11, 1
  %a112 = extractvalue {i32, i32, i32, i32} %rv11, 2
  %a113 = extractvalue {i32, i32, i32, i32} %rv11, 3
  %sa10 = add i32 %l15, 16
  %sb10 = and i32 %sa10, 7
  %sc10 = mul i32 %wn, 4
  %sd10 = add i32 %sc10, 0
  %se10 = add i32 %sd10, %l16
  %sf10 = xor i32 %se10, %sb10
  %sg10 = mul i32 %sf10, 16
  %sh10 = mul i32 %sa10, 128
  %si10 = add i32 %sg10, %sh10
  %sj10 = add i32 %si10, 4096
  %sq10 = getelementptr i8, ptr addrspace(3) %sp, i32 %sj10
  %sv10 = call {i32, i32, i32, i32} @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16.p3(ptr addrspace(3) %sq10)
  %b100 = extractvalue {i32, i32, i32, i32} %sv10, 0
  %b101 = extractvalue {i32, i32, i32, i32} %sv10, 1
  %b102 = extractvalue {i32, i32, i32, i32} %sv10, 2
  %b103 = extractvalue {i32, i32, i32, i32} %sv10, 3
  %sa11 = add i32 %l15, 16
  %sb11 = and i32 %sa11, 7
  %sc11 = mul i32 %wn, 4
  %sd11 = add i32 %sc11, 2
  %se11 = add i32 %sd11, %l16
  %sf11 = xor i32 %se11, %sb11
  %sg11 = mul i32 %sf11, 16
  %sh11 = mul i32 %sa11, 128
  %si11 = add i32 %sg11, %sh11
  %sj11 = add i32 %si11, 4096
  %sq11 = getelementptr i8, ptr addrspace(3) %sp, i32 %sj11
  %sv11 = call {i32, i32, i32, i32} @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16.p3(ptr addrspace(3) %sq11)
  %b110 = extractvalue {i32, i32, i32, i32} %sv11, 0
  %b111 = extractvalue {i32, i32, i32, i32} %sv11, 1
  %b112 = extractvalue {i32, i32, i32, i32} %sv11, 2
  %b113 = extractvalue {i32, i32, i32, i32} %sv11, 3
  %m100 = call {float, float, float, float} @llvm.nvvm.mma.m16n8k16.row.col.bf16(i32 %a100, i32 %a101, i32 %a102, i32 %a103, i32 %b100, i32 %b101, float %mid000, float %mid001, float %mid002, float %mid003)
  %new000 = extractvalue {float, float, float, float} %m100, 0
  %new001 = extractvalue {float, float, float, float} %m100, 1
  %new002 = extractvalue {float, float, float, float} %m100, 2
  %new003 = extractvalue {float, float, float, float} %m100, 3
  %m101 = call {float, float, float, float} @llvm.nvvm.mma.m16n8k16.row.col.bf16(i32 %a100, i32 %a101, i32 %a102, i32 %a103, i32 %b102, i32 %b103, float %mid010, float %mid011, float %mid012, float %mid013)
  %new010 = extractvalue {float, float, float, float} %m101, 0
  %new011 = extractvalue {float, float, float, float} %m101, 1
  %new012 = extractvalue {float, float, float, float} %m101, 2
  %new013 = extractvalue {float, float, float, float} %m101, 3
  %m102 = call {float, float, float, float} @llvm.nvvm.mma.m16n8k16.row.col.bf16(i32 %a100, i32 %a101, i32 %a102, i32 %a103, i32 %b110, i32 %b111, float %mid020, float %mid021, float %mid022, float %mid023)
  %new020 = extractvalue {float, float, float, float} %m102, 0
  %new021 = extractvalue {float, float, float, float} %m102, 1
  %new022 = extractvalue {float, float, float, float} %m102, 2
  %new023 = extractvalue {float, float, float, float} %m102, 3
  %m103 = call {float, float, float, float} @llvm.nvvm.mma.m16n8k16.row.col.bf16(i32 %a100, i32 %a101, i32 %a102, i32 %a103, i32 %b112, i32 %b113, float %mid030, float %mid031, float %mid032, float %mid033)
  %new030 = extractvalue {float, float, float, float} %m103, 0
  %new031 = extractvalue {float, float, float, float} %m103, 1
  %new032 = extractvalue {float, float, float, float} %m103, 2
  %new033 = extractvalue {float, float, float, float} %m103, 3
  %m110 = call {float, float, float, float} @llvm.nvvm.mma.m16n8k16.row.col.bf16(i32 %a110, i32 %a111, i32 %a112, i32 %a113, i32 %b100, i32 %b101, float %mid100, float %mid101, float %mid102, float %mid103)
  %new100 = extractvalue {float, float, float, float} %m110, 0
  %new101 = extractvalue {float, float, float, float} %m110, 1
  %new102 = extractvalue {float, float, float, float} %m110, 2
  %new103 = extractvalue {float, float, float, float} %m110, 3
  %m111 = call {float, float, float, float} @llvm.nvvm.mma.m16n8k16.row.col.bf16(i32 %a110, i32 %a111, i32 %a112, i32 %a113, i32 %b102, i32 %b103, float %mid110, float %mid111, float %mid112, float %mid113)
  %new110 = extractvalue {float, float, float, float} %m111, 0
  %new111 = extractvalue {float, float, float, float} %m111, 1
  %new112 = extractvalue {float, float, float, float} %m111, 2
  %new113 = extractvalue {float, float, float, float} %m111, 3
  %m112 = call {float, float, float, float} @llvm.nvvm.mma.m16n8k16.row.col.bf16(i32 %a110, i32 %a111, i32 %a112, i32 %a113, i32 %b110, i32 %b111, float %mid120, float %mid121, float %mid122, float %mid123)
  %new120 = extractvalue {float, float, float, float} %m112, 0
  %new121 = extractvalue {float, float, float, float} %m112, 1
  %new122 = extractvalue {float, float, float, float} %m112, 2
  %new123 = extractvalue {float, float, float, float} %m112, 3
  %m113 = call {float, float, float, float} @llvm.nvvm.mma.m16n8k16.row.col.bf16(i32 %a110, i32 %a111, i32 %a112, i32 %a113, i32 %b112, i32 %b113, float %mid130, float %mid131, float %mid132, float %mid133)
  %new130 = extractvalue {float, float, float, float} %m113, 0
  %new131 = extractvalue {float, float, float, float} %m113, 1
  %new132 = extractvalue {float, float, float, float} %m113, 2
  %new133 = extractvalue {float, float, float, float} %m113, 3
  %st0 = add i32 %st, 1
  %stw = icmp eq i32 %st0, 3
  %st1 = select i1 %stw, i32 0, i32 %st0
  %kt1 = add i32 %kt, 1
  %done = icmp eq i32 %kt1, %nk
  br i1 %done, label %out, label %loop
out:
  %bx = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %by = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.y()
  %g = lshr i32 %lane, 2
  %t4 = and i32 %lane, 3
  %t8 = mul i32 %t4, 2
  %wm32 = mul i32 %wm, 32
  %wn32 = mul i32 %wn, 32
  %cy = mul i32 %by, 64
  %cx = mul i32 %bx, 64
  %y0 = add i32 %cy, %wm32
  %y1 = add i32 %y0, %g
  %x0 = add i32 %cx, %wn32
  %x1 = add i32 %x0, %t8
  br label %s000
s000:
  %oy000 = add i32 %y1, 0
  %oi000 = icmp slt i32 %oy000, %m
  br i1 %oi000, label %t000, label %s001
t000:
  %ox000 = add i32 %x1, 0
  %om000 = mul i32 %oy000, %n
  %oa000 = add i32 %om000, %ox000
  %oe000 = sext i32 %oa000 to i64
  %op000 = getelementptr float, ptr addrspace(1) %C, i64 %oe000
  %ov000 = insertelement <2 x float> undef, float %new000, i32 0
  %ow000 = insertelement <2 x float> %ov000, float %new001, i32 1
  store <2 x float> %ow000, ptr addrspace(1) %op000, align 8
  br label %s001
s001:
  %oy001 = add i32 %y1, 0
  %oi001 = icmp slt i32 %oy001, %m
  br i1 %oi001, label %t001, label %s002
t001:
  %ox001 = add i32 %x1, 8
  %om001 = mul i32 %oy001, %n
  %oa001 = add i32 %om001, %ox001
  %oe001 = sext i32 %oa001 to i64
  %op001 = getelementptr float, ptr addrspace(1) %C, i64 %oe001
  %ov001 = insertelement <2 x float> undef, float %new010, i32 0
  %ow001 = insertelement <2 x float> %ov001, float %new011, i32 1
  store <2 x float> %ow001, ptr addrspace(1) %op001, align 8
  br label %s002
s002:
  %oy002 = add i32 %y1, 0
  %oi002 = icmp slt i32 %oy002, %m
  br i1 %oi002, label %t002, label %s003
t002:
  %ox002 = add i32 %x1, 16
  %om002 = mul i32 %oy002, %n
  %oa002 = add i32 %om002, %ox002
  %oe002 = sext i32 %oa002 to i64
  %op002 = getelementptr float, ptr addrspace(1) %C, i64 %oe002
  %ov002 = insertelement <2 x float> undef, float %new020, i32 0
  %ow002 = insertelement <2 x float> %ov002, float %new021, i32 1
  store <2 x float> %ow002, ptr addrspace(1) %op002, align 8
  br label %s003
s003:
  %oy003 = add i32 %y1, 0
  %oi003 = icmp slt i32 %oy003, %m
  br i1 %oi003, label %t003, label %s010
t003:
  %ox003 = add i32 %x1, 24
  %om003 = mul i32 %oy003, %n
  %oa003 = add i32 %om003, %ox003
  %oe003 = sext i32 %oa003 to i64
  %op003 = getelementptr float, ptr addrspace(1) %C, i64 %oe003
  %ov003 = insertelement <2 x float> undef, float %new030, i32 0
  %ow003 = insertelement <2 x float> %ov003, float %new031, i32 1
  store <2 x float> %ow003, ptr addrspace(1) %op003, align 8
  br label %s010
s010:
  %oy010 = add i32 %y1, 8
  %oi010 = icmp slt i32 %oy010, %m
  br i1 %oi010, label %t010, label %s011
t010:
  %ox010 = add i32 %x1, 0
  %om010 = mul i32 %oy010, %n
  %oa010 = add i32 %om010, %ox010
  %oe010 = sext i32 %oa010 to i64
  %op010 = getelementptr float, ptr addrspace(1) %C, i64 %oe010
  %ov010 = insertelement <2 x float> undef, float %new002, i32 0
  %ow010 = insertelement <2 x float> %ov010, float %new003, i32 1
  store <2 x float> %ow010, ptr addrspace(1) %op010, align 8
  br label %s011
s011:
  %oy011 = add i32 %y1, 8
  %oi011 = icmp slt i32 %oy011, %m
  br i1 %oi011, label %t011, label %s012
t011:
  %ox011 = add i32 %x1, 8
  %om011 = mul i32 %oy011, %n
  %oa011 = add i32 %om011, %ox011
  %oe011 = sext i32 %oa011 to i64
  %op011 = getelementptr float, ptr addrspace(1) %C, i64 %oe011
  %ov011 = insertelement <2 x float> undef, float %new012, i32 0
  %ow011 = insertelement <2 x float> %ov011, float %new013, i32 1
  store <2 x float> %ow011, ptr addrspace(1) %op011, align 8
  br label %s012
s012:
  %oy012 = add i32 %y1, 8
  %oi012 = icmp slt i32 %oy012, %m
  br i1 %oi012, label %t012, label %s013
t012:
  %ox012 = add i32 %x1, 16
  %om012 = mul i32 %oy012, %n
  %oa012 = add i32 %om012, %ox012
  %oe012 = sext i32 %oa012 to i64
  %op012 = getelementptr float, ptr addrspace(1) %C, i64 %oe012
  %ov012 = insertelement <2 x float> undef, float %new022, i32 0
  %ow012 = insertelement <2 x float> %ov012, float %new023, i32 1
  store <2 x float> %ow012, ptr addrspace(1) %op012, align 8
  br label %s013
s013:
  %oy013 = add i32 %y1, 8
  %oi013 = icmp slt i32 %oy013, %m
  br i1 %oi013, label %t013, label %s100
t013:
  %ox013 = add i32 %x1, 24
  %om013 = mul i32 %oy013, %n
  %oa013 = add i32 %om013, %ox013
  %oe013 = sext i32 %oa013 to i64
  %op013 = getelementptr float, ptr addrspace(1) %C, i64 %oe013
  %ov013 = insertelement <2 x float> undef, float %new032, i32 0
  %ow013 = insertelement <2 x float> %ov013, float %new033, i32 1
  store <2 x float> %ow013, ptr addrspace(1) %op013, align 8
  br label %s100
s100:
  %oy100 = add i32 %y1, 16
  %oi100 = icmp slt i32 %oy100, %m
  br i1 %oi100, label %t100, label %s101
t100:
  %ox100 = add i32 %x1, 0
  %om100 = mul i32 %oy100, %n
  %oa100 = add i32 %om100, %ox100
  %oe100 = sext i32 %oa100 to i64
  %op100 = getelementptr float, ptr addrspace(1) %C, i64 %oe100
  %ov100 = insertelement <2 x float> undef, float %new100, i32 0
  %ow100 = insertelement <2 x float> %ov100, float %new101, i32 1
  store <2 x float> %ow100, ptr addrspace(1) %op100, align 8
  br label %s101
s101:
  %oy101 = add i32 %y1, 16
  %oi101 = icmp slt i32 %oy101, %m
  br i1 %oi101, label %t101, label %s102
t101:
  %ox101 = add i32 %x1, 8
  %om101 = mul i32 %oy101, %n
  %oa101 = add i32 %om101, %ox101
  %oe101 = sext i32 %oa101 to i64
  %op101 = getelementptr float, ptr addrspace(1) %C, i64 %oe101
  %ov101 = insertelement <2 x float> undef, float %new110, i32 0
  %ow101 = insertelement <2 x float> %ov101, float %new111, i32 1
  store <2 x float> %ow101, ptr addrspace(1) %op101, align 8
  br label %s102
s102:
  %oy102 = add i32 %y1, 16
  %oi102 = icmp slt i32 %oy102, %m
  br i1 %oi102, label %t102, label %s103
t102:
  %ox102 = add i32 %x1, 16
  %om102 = mul i32 %oy102, %n
  %oa102 = add i32 %om102, %ox102
  %oe102 = sext i32 %oa102 to i64
  %op102 = getelementptr float, ptr addrspace(1) %C, i64 %oe102
  %ov102 = insertelement <2 x float> undef, float %new120, i32 0
  %ow102 = insertelement <2 x float> %ov102, float %new121, i32 1
  store <2 x float> %ow102, ptr addrspace(1) %op102, align 8
  br label %s103
s103:
  %oy103 = add i32 %y1, 16
  %oi103 = icmp slt i32 %oy103, %m
  br i1 %oi103, label %t103, label %s110
t103:
  %ox103 = add i32 %x1, 24
  %om103 = mul i32 %oy103, %n
  %oa103 = add i32 %om103, %ox103
  %oe103 = sext i32 %oa103 to i64
  %op103 = getelementptr float, ptr addrspace(1) %C, i64 %oe103
  %ov103 = insertelement <2 x float> undef, float %new130, i32 0
  %ow103 = insertelement <2 x float> %ov103, float %new131, i32 1
  store <2 x float> %ow103, ptr addrspace(1) %op103, align 8
  br label %s110
s110:
  %oy110 = add i32 %y1, 24
  %oi110 = icmp slt i32 %oy110, %m
  br i1 %oi110, label %t110, label %s111
t110:
  %ox110 = add i32 %x1, 0
  %om110 = mul i32 %oy110, %n
  %oa110 = add i32 %om110, %ox110
  %oe110 = sext i32 %oa110 to i64
  %op110 = getelementptr float, ptr addrspace(1) %C, i64 %oe110
  %ov110 = insertelement <2 x float> undef, float %new102, i32 0
  %ow110 = insertelement <2 x float> %ov110, float %new103, i32 1
  store <2 x float> %ow110, ptr addrspace(1) %op110, align 8
  br label %s111
s111:
  %oy111 = add i32 %y1, 24
  %oi111 = icmp slt i32 %oy111, %m
  br i1 %oi111, label %t111, label %s112
t111:
  %ox111 = add i32 %x1, 8
  %om111 = mul i32 %oy111, %n
  %oa111 = add i32 %om111, %ox111
  %oe111 = sext i32 %oa111 to i64
  %op111 = getelementptr float, ptr addrspace(1) %C, i64 %oe111
  %ov111 = insertelement <2 x float> undef, float %new112, i32 0
  %ow111 = insertelement <2 x float> %ov111, float %new113, i32 1
  store <2 x float> %ow111, ptr addrspace(1) %op111, align 8
  br label %s112
s112:
  %oy112 = add i32 %y1, 24
  %oi112 = icmp slt i32 %oy112, %m
  br i1 %oi112, label %t112, label %s113
t112:
  %ox112 = add i32 %x1, 16
  %om112 = mul i32 %oy112, %n
  %oa112 = add i32 %om112, %ox112
  %oe112 = sext i32 %oa112 to i64
  %op112 = getelementptr float, ptr addrspace(1) %C, i64 %oe112
  %ov112 = insertelement <2 x float> undef, float %new122, i32 0
  %ow112 = insertelement <2 x float> %ov112, float %new123, i32 1
  store <2 x float> %ow112, ptr addrspace(1) %op112, align 8
  br label %s113
s113:
  %oy113 = add i32 %y1, 24
  %oi113 = icmp slt i32 %oy113, %m
  br i1 %oi113, label %t113, label %end
t113:
  %ox113 = add i32 %x1, 24
  %om113 = mul i32 %oy113, %n
  %oa113 = add i32 %om113, %ox113
  %oe113 = sext i32 %oa113 to i64
  %op113 = getelementptr float, ptr addrspace(1) %C, i64 %oe113
  %ov113 = insertelement <2 x float> undef, float %new132, i32 0
  %ow113 = insertelement <2 x float> %ov113, float %new133, i32 1
  store <2 x float> %ow113, ptr addrspace(1) %op113, align 8
  br label %end
end:
  ret void
}
