; y = xᵀ of i16 in tiles of 32 by 32 through shared memory; 32 by 8 threads. Rows of the
; tile are padded to 33 elements.
target triple = "nvptx64-nvidia-cuda"
@tile = internal addrspace(3) global [32 x [33 x i16]] undef, align 4
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.tid.y()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.y()
declare void @llvm.nvvm.barrier0()

define ptx_kernel void @transpose(ptr addrspace(1) noalias readonly %x, ptr addrspace(1) noalias %y, i32 %rows, i32 %cols) {
entry:
  %tx = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %ty = call i32 @llvm.nvvm.read.ptx.sreg.tid.y()
  %bx = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %by = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.y()
  %x0 = mul i32 %bx, 32
  %y0 = mul i32 %by, 32
  %cx = add i32 %x0, %tx
  br label %in
in:
  %i = phi i32 [%ty, %entry], [%i1, %inok]
  %r = add i32 %y0, %i
  %ra = icmp slt i32 %r, %rows
  %ca = icmp slt i32 %cx, %cols
  %ok = and i1 %ra, %ca
  br i1 %ok, label %get, label %inok
get:
  %a = mul i32 %r, %cols
  %b = add i32 %a, %cx
  %c = sext i32 %b to i64
  %p = getelementptr i16, ptr addrspace(1) %x, i64 %c
  %v = load i16, ptr addrspace(1) %p
  %q = getelementptr [32 x [33 x i16]], ptr addrspace(3) @tile, i32 0, i32 %i, i32 %tx
  store i16 %v, ptr addrspace(3) %q
  br label %inok
inok:
  %i1 = add i32 %i, 8
  %more = icmp slt i32 %i1, 32
  br i1 %more, label %in, label %mid
mid:
  call void @llvm.nvvm.barrier0()
  %cy = add i32 %y0, %tx
  br label %out
out:
  %j = phi i32 [%ty, %mid], [%j1, %outok]
  %s = add i32 %x0, %j
  %sa = icmp slt i32 %s, %cols
  %da = icmp slt i32 %cy, %rows
  %ko = and i1 %sa, %da
  br i1 %ko, label %put, label %outok
put:
  %e = mul i32 %s, %rows
  %f = add i32 %e, %cy
  %g = sext i32 %f to i64
  %h = getelementptr i16, ptr addrspace(1) %y, i64 %g
  %k = getelementptr [32 x [33 x i16]], ptr addrspace(3) @tile, i32 0, i32 %tx, i32 %j
  %l = load i16, ptr addrspace(3) %k
  store i16 %l, ptr addrspace(1) %h
  br label %outok
outok:
  %j1 = add i32 %j, 8
  %again = icmp slt i32 %j1, 32
  br i1 %again, label %out, label %end
end:
  ret void
}
