; Softmax of rows: a block of 128 threads a row. Each thread takes every 128th
; element, the warps reduce with shuffles, one word a warp goes through shared memory.
target triple = "nvptx64-nvidia-cuda"
@part = internal addrspace(3) global [4 x float] undef, align 4
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare void @llvm.nvvm.barrier0()
declare float @llvm.nvvm.shfl.sync.bfly.f32(i32, float, i32, i32)
declare float @llvm.nvvm.ex2.approx.ftz.f(float)
declare float @llvm.maximum.f32(float, float)

define ptx_kernel void @softmax(ptr addrspace(1) noalias readonly %x, ptr addrspace(1) noalias %y, i32 %n) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %b = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %lane = and i32 %t, 31
  %warp = lshr i32 %t, 5
  %row = mul i32 %b, %n
  %first = icmp eq i32 %lane, 0
  %slot = getelementptr [4 x float], ptr addrspace(3) @part, i32 0, i32 %warp
  %s1 = getelementptr float, ptr addrspace(3) @part, i32 1
  %s2 = getelementptr float, ptr addrspace(3) @part, i32 2
  %s3 = getelementptr float, ptr addrspace(3) @part, i32 3
  %any = icmp slt i32 %t, %n
  br i1 %any, label %max, label %maxed
max:
  %j = phi i32 [%t, %entry], [%j1, %max]
  %m = phi float [0xFFF0000000000000, %entry], [%m1, %max]
  %o = add i32 %row, %j
  %o64 = sext i32 %o to i64
  %p = getelementptr float, ptr addrspace(1) %x, i64 %o64
  %v = load float, ptr addrspace(1) %p
  %m1 = call float @llvm.maximum.f32(float %m, float %v)
  %j1 = add i32 %j, 128
  %c = icmp slt i32 %j1, %n
  br i1 %c, label %max, label %maxed
maxed:
  %ma = phi float [0xFFF0000000000000, %entry], [%m1, %max]
  %w16 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %ma, i32 16, i32 31)
  %x16 = call float @llvm.maximum.f32(float %ma, float %w16)
  %w8 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %x16, i32 8, i32 31)
  %x8 = call float @llvm.maximum.f32(float %x16, float %w8)
  %w4 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %x8, i32 4, i32 31)
  %x4 = call float @llvm.maximum.f32(float %x8, float %w4)
  %w2 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %x4, i32 2, i32 31)
  %x2 = call float @llvm.maximum.f32(float %x4, float %w2)
  %w1 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %x2, i32 1, i32 31)
  %x1 = call float @llvm.maximum.f32(float %x2, float %w1)
  br i1 %first, label %putmax, label %gotmax
putmax:
  store float %x1, ptr addrspace(3) %slot
  br label %gotmax
gotmax:
  call void @llvm.nvvm.barrier0()
  %q0 = load float, ptr addrspace(3) @part
  %q1 = load float, ptr addrspace(3) %s1
  %q2 = load float, ptr addrspace(3) %s2
  %q3 = load float, ptr addrspace(3) %s3
  %r1 = call float @llvm.maximum.f32(float %q0, float %q1)
  %r2 = call float @llvm.maximum.f32(float %r1, float %q2)
  %r3 = call float @llvm.maximum.f32(float %r2, float %q3)
  call void @llvm.nvvm.barrier0()
  br i1 %any, label %sum, label %summed
sum:
  %k = phi i32 [%t, %gotmax], [%k1, %sum]
  %s = phi float [0.0, %gotmax], [%sn, %sum]
  %ko = add i32 %row, %k
  %ko64 = sext i32 %ko to i64
  %kp = getelementptr float, ptr addrspace(1) %x, i64 %ko64
  %kv = load float, ptr addrspace(1) %kp
  %kd = fsub float %kv, %r3
  %ks = fmul float %kd, 0x3FF7154760000000
  %ke = call float @llvm.nvvm.ex2.approx.ftz.f(float %ks)
  %kq = getelementptr float, ptr addrspace(1) %y, i64 %ko64
  store float %ke, ptr addrspace(1) %kq
  %sn = fadd float %s, %ke
  %k1 = add i32 %k, 128
  %kc = icmp slt i32 %k1, %n
  br i1 %kc, label %sum, label %summed
summed:
  %su = phi float [0.0, %gotmax], [%sn, %sum]
  %v16 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %su, i32 16, i32 31)
  %y16 = fadd float %su, %v16
  %v8 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %y16, i32 8, i32 31)
  %y8 = fadd float %y16, %v8
  %v4 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %y8, i32 4, i32 31)
  %y4 = fadd float %y8, %v4
  %v2 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %y4, i32 2, i32 31)
  %y2 = fadd float %y4, %v2
  %v1 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %y2, i32 1, i32 31)
  %y1 = fadd float %y2, %v1
  br i1 %first, label %putsum, label %gotsum
putsum:
  store float %y1, ptr addrspace(3) %slot
  br label %gotsum
gotsum:
  call void @llvm.nvvm.barrier0()
  %t0 = load float, ptr addrspace(3) @part
  %t1 = load float, ptr addrspace(3) %s1
  %t2 = load float, ptr addrspace(3) %s2
  %t3 = load float, ptr addrspace(3) %s3
  %u1 = fadd float %t0, %t1
  %u2 = fadd float %u1, %t2
  %u3 = fadd float %u2, %t3
  %inv = fdiv float 1.0, %u3
  br i1 %any, label %div, label %end
div:
  %d = phi i32 [%t, %gotsum], [%d1, %div]
  %do = add i32 %row, %d
  %do64 = sext i32 %do to i64
  %dp = getelementptr float, ptr addrspace(1) %y, i64 %do64
  %dv = load float, ptr addrspace(1) %dp
  %dr = fmul float %dv, %inv
  store float %dr, ptr addrspace(1) %dp
  %d1 = add i32 %d, 128
  %dc = icmp slt i32 %d1, %n
  br i1 %dc, label %div, label %end
end:
  ret void
}
