#include <ac_int.h>

template <int W> using bits = ac_int<W, false>;

template <class T> bits<T::width> to_code(const T &value) { return value.template slc<T::width>(0); }
template <class T> T from_code(bits<T::width> code) {
    T value;
    value.set_slc(0, code);
    return value;
}
template <int W> int as_int(const ac_int<W, false> &value) { return (int)value.to_uint(); }
