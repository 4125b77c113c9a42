#include <ap_int.h>

template <int W> using bits = ap_uint<W>;

template <class T> bits<T::width> to_code(const T &value) { return value.range(T::width - 1, 0); }
template <class T> T from_code(bits<T::width> code) {
    T value;
    value.range(T::width - 1, 0) = code;
    return value;
}
template <int W> int as_int(const ap_uint<W> &value) { return (int)value.to_uint(); }
