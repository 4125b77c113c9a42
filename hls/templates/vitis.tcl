# Synthesis with Vitis HLS: vitis-run --mode hls --tcl vitis.tcl  (or: vitis_hls -f vitis.tcl)
cd [file dirname [file normalize [info script]]]
open_project -reset vitis_project
set_top econ_t
add_files econ_t.cpp -cflags "-std=c++17"
add_files firmware/encoder.cpp -cflags "-std=c++17"
add_files -tb econ_t_csim.cpp -cflags "-std=c++17"
open_solution -reset solution1 -flow_target vivado
set_part @PART@
create_clock -period @PERIOD@ -name default
config_compile -name_max_length 80
csynth_design
exit
