"""The encoder as C++: hls4ml conversion, the project's own top level, csim with g++, reports of vendor tools."""
