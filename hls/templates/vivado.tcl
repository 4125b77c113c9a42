# Logic synthesis of the Verilog that Vitis HLS wrote: vivado -mode batch -source vivado.tcl
cd [file dirname [file normalize [info script]]]
read_verilog [glob vitis_project/solution1/syn/verilog/*.v]
# Thousands of weight bits are ports: synthesise out of context, without pads.
synth_design -top econ_t -part @PART@ -mode out_of_context
create_clock -period @PERIOD@ -name ap_clk [get_ports ap_clk]
report_utilization -file vivado_utilization.rpt
report_timing_summary -file vivado_timing.rpt
exit
