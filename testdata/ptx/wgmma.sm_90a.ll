; A product of warpgroups as the compiler would write it: accumulators are values that a loop carries, products are
; assembly, and a wait takes them and gives them back.
target triple = "nvptx64-nvidia-cuda"
@slots = external addrspace(3) global [0 x i8], align 1024
@full = internal addrspace(3) global [1 x i64] undef, align 8
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3), i32)
declare void @llvm.nvvm.barrier0()


declare i32 @llvm.nvvm.read.ptx.sreg.cluster.ctarank()
define void @product(ptr byval([128 x i8]) align 64 %mapA, ptr byval([128 x i8]) align 64 %mapB, ptr addrspace(1) %c, i32 %tiles) {
entry:
  %tid = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %first = icmp eq i32 %tid, 0
  br i1 %first, label %init, label %ready
init:
  call void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3) @full, i32 1)
  call void asm sideeffect "fence.mbarrier_init.release.cluster;", "~{memory}"()
  br label %ready
ready:
  call void @llvm.nvvm.barrier0()
  %sa = ptrtoint ptr addrspace(3) @slots to i32
  %sb = add i32 %sa, 8192
  %mb = ptrtoint ptr addrspace(3) @full to i32
  %sa4 = lshr i32 %sa, 4
  %sb4 = lshr i32 %sb, 4
  %sa64 = zext i32 %sa4 to i64
  %sb64 = zext i32 %sb4 to i64
  %da0 = or i64 %sa64, 4611686293305360384
  %db0 = or i64 %sb64, 4611686293305360384
  br label %loop
loop:
  %t = phi i32 [ 0, %ready ], [ %t1, %done ]
  %a0 = phi float [ 0.0, %ready ], [ %s0, %done ]
  %a1 = phi float [ 0.0, %ready ], [ %s1, %done ]
  %a2 = phi float [ 0.0, %ready ], [ %s2, %done ]
  %a3 = phi float [ 0.0, %ready ], [ %s3, %done ]
  %a4 = phi float [ 0.0, %ready ], [ %s4, %done ]
  %a5 = phi float [ 0.0, %ready ], [ %s5, %done ]
  %a6 = phi float [ 0.0, %ready ], [ %s6, %done ]
  %a7 = phi float [ 0.0, %ready ], [ %s7, %done ]
  br i1 %first, label %fill, label %wait
fill:
  %k = shl i32 %t, 6
  call void asm sideeffect "mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], 10240;", "r,~{memory}"(i32 %mb)
  call void asm sideeffect "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [$0], [$1, {$2, 0}], [$3];", "r,l,r,r,~{memory}"(i32 %sa, ptr %mapA, i32 %k, i32 %mb)
  call void asm sideeffect "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [$0], [$1, {$2, 0}], [$3];", "r,l,r,r,~{memory}"(i32 %sb, ptr %mapB, i32 %k, i32 %mb)
  br label %wait
wait:
  %par = and i32 %t, 1
  %ok = call i32 asm sideeffect "{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [$1], $2; selp.u32 $0, 1, 0, p; }", "=r,r,r,~{memory}"(i32 %mb, i32 %par)
  %okb = icmp ne i32 %ok, 0
  br i1 %okb, label %go, label %wait
go:
  call void asm sideeffect "wgmma.fence.sync.aligned;", "~{memory}"()
  %da1 = add i64 %da0, 2
  %db1 = add i64 %db0, 2
  %da2 = add i64 %da0, 4
  %db2 = add i64 %db0, 4
  %da3 = add i64 %da0, 6
  %db3 = add i64 %db0, 6
  %p = call {float, float, float, float, float, float, float, float} asm sideeffect "{ .reg .pred p, q; setp.ne.b32 p, $16, 0; setp.eq.b32 q, 0, 0; wgmma.mma_async.sync.aligned.m64n16k16.f32.bf16.bf16 {$0, $1, $2, $3, $4, $5, $6, $7}, $8, $9, p, 1, 1, 0, 0; wgmma.mma_async.sync.aligned.m64n16k16.f32.bf16.bf16 {$0, $1, $2, $3, $4, $5, $6, $7}, $10, $11, q, 1, 1, 0, 0; wgmma.mma_async.sync.aligned.m64n16k16.f32.bf16.bf16 {$0, $1, $2, $3, $4, $5, $6, $7}, $12, $13, q, 1, 1, 0, 0; wgmma.mma_async.sync.aligned.m64n16k16.f32.bf16.bf16 {$0, $1, $2, $3, $4, $5, $6, $7}, $14, $15, q, 1, 1, 0, 0; }", "=f,=f,=f,=f,=f,=f,=f,=f,l,l,l,l,l,l,l,l,r,0,1,2,3,4,5,6,7,~{memory}"(i64 %da0, i64 %db0, i64 %da1, i64 %db1, i64 %da2, i64 %db2, i64 %da3, i64 %db3, i32 %t, float %a0, float %a1, float %a2, float %a3, float %a4, float %a5, float %a6, float %a7)
  %p0 = extractvalue {float, float, float, float, float, float, float, float} %p, 0
  %p1 = extractvalue {float, float, float, float, float, float, float, float} %p, 1
  %p2 = extractvalue {float, float, float, float, float, float, float, float} %p, 2
  %p3 = extractvalue {float, float, float, float, float, float, float, float} %p, 3
  %p4 = extractvalue {float, float, float, float, float, float, float, float} %p, 4
  %p5 = extractvalue {float, float, float, float, float, float, float, float} %p, 5
  %p6 = extractvalue {float, float, float, float, float, float, float, float} %p, 6
  %p7 = extractvalue {float, float, float, float, float, float, float, float} %p, 7
  call void asm sideeffect "wgmma.commit_group.sync.aligned;", "~{memory}"()
  %w = call {float, float, float, float, float, float, float, float} asm sideeffect "wgmma.wait_group.sync.aligned 0;", "=f,=f,=f,=f,=f,=f,=f,=f,0,1,2,3,4,5,6,7,~{memory}"(float %p0, float %p1, float %p2, float %p3, float %p4, float %p5, float %p6, float %p7)
  %s0 = extractvalue {float, float, float, float, float, float, float, float} %w, 0
  %s1 = extractvalue {float, float, float, float, float, float, float, float} %w, 1
  %s2 = extractvalue {float, float, float, float, float, float, float, float} %w, 2
  %s3 = extractvalue {float, float, float, float, float, float, float, float} %w, 3
  %s4 = extractvalue {float, float, float, float, float, float, float, float} %w, 4
  %s5 = extractvalue {float, float, float, float, float, float, float, float} %w, 5
  %s6 = extractvalue {float, float, float, float, float, float, float, float} %w, 6
  %s7 = extractvalue {float, float, float, float, float, float, float, float} %w, 7
  br label %done
done:
  call void @llvm.nvvm.barrier0()
  %t1 = add i32 %t, 1
  %more = icmp slt i32 %t1, %tiles
  br i1 %more, label %loop, label %store
store:
  %wid = lshr i32 %tid, 5
  %lane = and i32 %tid, 31
  %g = lshr i32 %lane, 2
  %q = and i32 %lane, 3
  %r0 = shl i32 %wid, 4
  %r = add i32 %r0, %g
  %c2 = shl i32 %q, 1
  %r.0 = add i32 %r, 0
  %m.0 = mul i32 %r.0, 16
  %n.0 = add i32 %m.0, %c2
  %o.0 = add i32 %n.0, 0
  %e.0 = getelementptr float, ptr addrspace(1) %c, i32 %o.0
  store float %s0, ptr addrspace(1) %e.0
  %r.1 = add i32 %r, 0
  %m.1 = mul i32 %r.1, 16
  %n.1 = add i32 %m.1, %c2
  %o.1 = add i32 %n.1, 1
  %e.1 = getelementptr float, ptr addrspace(1) %c, i32 %o.1
  store float %s1, ptr addrspace(1) %e.1
  %r.2 = add i32 %r, 8
  %m.2 = mul i32 %r.2, 16
  %n.2 = add i32 %m.2, %c2
  %o.2 = add i32 %n.2, 0
  %e.2 = getelementptr float, ptr addrspace(1) %c, i32 %o.2
  store float %s2, ptr addrspace(1) %e.2
  %r.3 = add i32 %r, 8
  %m.3 = mul i32 %r.3, 16
  %n.3 = add i32 %m.3, %c2
  %o.3 = add i32 %n.3, 1
  %e.3 = getelementptr float, ptr addrspace(1) %c, i32 %o.3
  store float %s3, ptr addrspace(1) %e.3
  %r.4 = add i32 %r, 0
  %m.4 = mul i32 %r.4, 16
  %n.4 = add i32 %m.4, %c2
  %o.4 = add i32 %n.4, 8
  %e.4 = getelementptr float, ptr addrspace(1) %c, i32 %o.4
  store float %s4, ptr addrspace(1) %e.4
  %r.5 = add i32 %r, 0
  %m.5 = mul i32 %r.5, 16
  %n.5 = add i32 %m.5, %c2
  %o.5 = add i32 %n.5, 9
  %e.5 = getelementptr float, ptr addrspace(1) %c, i32 %o.5
  store float %s5, ptr addrspace(1) %e.5
  %r.6 = add i32 %r, 8
  %m.6 = mul i32 %r.6, 16
  %n.6 = add i32 %m.6, %c2
  %o.6 = add i32 %n.6, 8
  %e.6 = getelementptr float, ptr addrspace(1) %c, i32 %o.6
  store float %s6, ptr addrspace(1) %e.6
  %r.7 = add i32 %r, 8
  %m.7 = mul i32 %r.7, 16
  %n.7 = add i32 %m.7, %c2
  %o.7 = add i32 %n.7, 9
  %e.7 = getelementptr float, ptr addrspace(1) %c, i32 %o.7
  store float %s7, ptr addrspace(1) %e.7
  ret void
}
!nvvm.annotations = !{!0, !1, !2}
!2 = !{ptr @product, !"grid_constant", !3}
!3 = !{i32 1, i32 2}
!0 = !{ptr @product, !"kernel", i32 1}
!1 = !{ptr @product, !"maxntidx", i32 128}
