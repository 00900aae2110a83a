; Every intrinsic for Hopper that LLVM has and the compiler may use, and kernels that ask for a cluster and registers.
target triple = "nvptx64-nvidia-cuda"
@sh = internal addrspace(3) global [4096 x i8] undef, align 1024
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.cluster.ctarank()
declare i32 @llvm.nvvm.read.ptx.sreg.cluster.nctarank()
declare i32 @llvm.nvvm.read.ptx.sreg.cluster.ctaid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.cluster.nctaid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.clusterid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.nclusterid.x()
declare ptr @llvm.nvvm.mapa(ptr, i32)
declare ptr addrspace(3) @llvm.nvvm.mapa.shared.cluster(ptr addrspace(3), i32)
declare i32 @llvm.nvvm.getctarank(ptr)
declare i32 @llvm.nvvm.getctarank.shared.cluster(ptr addrspace(3))
declare void @llvm.nvvm.barrier.cluster.arrive()
declare void @llvm.nvvm.barrier.cluster.arrive.aligned()
declare void @llvm.nvvm.barrier.cluster.wait()
declare void @llvm.nvvm.barrier.cluster.wait.aligned()
declare void @llvm.nvvm.fence.sc.cluster()
declare void @llvm.nvvm.setmaxnreg.inc.sync.aligned.u32(i32)
declare void @llvm.nvvm.setmaxnreg.dec.sync.aligned.u32(i32)
declare i1 @llvm.nvvm.isspacep.shared.cluster(ptr)
define void @forms(ptr addrspace(1) %y) {
  %tid = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %r = call i32 @llvm.nvvm.read.ptx.sreg.cluster.ctarank()
  %n = call i32 @llvm.nvvm.read.ptx.sreg.cluster.nctarank()
  %a = call i32 @llvm.nvvm.read.ptx.sreg.cluster.ctaid.x()
  %b = call i32 @llvm.nvvm.read.ptx.sreg.cluster.nctaid.x()
  %c = call i32 @llvm.nvvm.read.ptx.sreg.clusterid.x()
  %d = call i32 @llvm.nvvm.read.ptx.sreg.nclusterid.x()
  %p = getelementptr i32, ptr addrspace(3) @sh, i32 %tid
  %s0 = add i32 %r, %n
  %s1 = add i32 %s0, %a
  %s2 = add i32 %s1, %b
  %s3 = add i32 %s2, %c
  %s4 = add i32 %s3, %d
  store i32 %s4, ptr addrspace(3) %p
  call void @llvm.nvvm.fence.sc.cluster()
  call void @llvm.nvvm.barrier.cluster.arrive.aligned()
  call void @llvm.nvvm.barrier.cluster.wait.aligned()
  %o = xor i32 %r, 1
  %g = addrspacecast ptr addrspace(3) %p to ptr
  %q = call ptr @llvm.nvvm.mapa(ptr %g, i32 %o)
  %v = load i32, ptr %q
  %k = call i32 @llvm.nvvm.getctarank(ptr %q)
  %q3 = call ptr addrspace(3) @llvm.nvvm.mapa.shared.cluster(ptr addrspace(3) %p, i32 %o)
  %k3 = call i32 @llvm.nvvm.getctarank.shared.cluster(ptr addrspace(3) %q3)
  %is = call i1 @llvm.nvvm.isspacep.shared.cluster(ptr %q)
  %isn = zext i1 %is to i32
  %w0 = mul i32 %k, 1000
  %w1 = add i32 %v, %w0
  %w2 = mul i32 %k3, 10000
  %w3 = add i32 %w1, %w2
  %w4 = mul i32 %isn, 100000
  %w5 = add i32 %w3, %w4
  %i0 = mul i32 %r, 128
  %i = add i32 %i0, %tid
  %y1 = getelementptr i32, ptr addrspace(1) %y, i32 %i
  store i32 %w5, ptr addrspace(1) %y1
  call void @llvm.nvvm.barrier.cluster.arrive()
  call void @llvm.nvvm.barrier.cluster.wait()
  ret void
}
define void @roles() {
  call void @llvm.nvvm.setmaxnreg.dec.sync.aligned.u32(i32 40)
  call void @llvm.nvvm.barrier.cluster.arrive.aligned()
  call void @llvm.nvvm.barrier.cluster.wait.aligned()
  call void @llvm.nvvm.setmaxnreg.inc.sync.aligned.u32(i32 64)
  ret void
}
!nvvm.annotations = !{!0, !1, !2, !3, !4, !5}
!0 = !{ptr @forms, !"kernel", i32 1}
!1 = !{ptr @forms, !"cluster_dim_x", i32 2}
!2 = !{ptr @forms, !"maxclusterrank", i32 8}
!3 = !{ptr @roles, !"kernel", i32 1}
!4 = !{ptr @roles, !"maxntidx", i32 128}
!5 = !{ptr @roles, !"minctasm", i32 1}
