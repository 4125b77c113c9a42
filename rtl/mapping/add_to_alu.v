// Keeps every adder of the RTL an adder with its own carry chain; short ones become plain logic.
(* techmap_celltype = "$add" *)
module add_to_alu (A, B, Y);
    parameter A_SIGNED = 0;
    parameter B_SIGNED = 0;
    parameter A_WIDTH = 1;
    parameter B_WIDTH = 1;
    parameter Y_WIDTH = 1;
    input [A_WIDTH-1:0] A;
    input [B_WIDTH-1:0] B;
    output [Y_WIDTH-1:0] Y;
    wire [Y_WIDTH-1:0] x, carry_out;
    generate if (Y_WIDTH > 4) begin
        \$alu #(.A_SIGNED(A_SIGNED), .B_SIGNED(B_SIGNED), .A_WIDTH(A_WIDTH), .B_WIDTH(B_WIDTH), .Y_WIDTH(Y_WIDTH))
            alu (.A(A), .B(B), .CI(1'b0), .BI(1'b0), .X(x), .CO(carry_out), .Y(Y));
    end else begin
        wire [Y_WIDTH-1:0] a, b;
        wire [Y_WIDTH:0] carry;
        \$pos #(.A_SIGNED(A_SIGNED), .A_WIDTH(A_WIDTH), .Y_WIDTH(Y_WIDTH)) extend_a (.A(A), .Y(a));
        \$pos #(.A_SIGNED(B_SIGNED), .A_WIDTH(B_WIDTH), .Y_WIDTH(Y_WIDTH)) extend_b (.A(B), .Y(b));
        assign carry[0] = 1'b0;
        assign Y = a ^ b ^ carry[Y_WIDTH-1:0];
        genvar i;
        for (i = 0; i < Y_WIDTH; i = i + 1) assign carry[i+1] = (a[i] & b[i]) | (carry[i] & (a[i] | b[i]));
    end endgenerate
endmodule
