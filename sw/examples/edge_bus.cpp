// SPDX-License-Identifier: Apache-2.0
//
// The bus of the example, by way of Verilator: one edge_top and its clock. Compiled with -DIN_LANES=… -DWIDTH=…, the
// parameters of the engine.

#include "edge_bus.h"

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <vector>

#include "Vtop.h"
#include "verilated.h"

namespace {

// What the engine was built with; the ports of Verilator's class do not tell it
constexpr std::size_t LANES = IN_LANES;
constexpr unsigned LANE_BITS = WIDTH <= 8 ? 8 : 16;
constexpr int PATIENCE = 10000;  // clocks until an access must have been answered

struct Beat {
    std::vector<uint32_t> lanes;
    bool last;
    uint16_t label;
};

struct Bus {
    VerilatedContext context;
    std::unique_ptr<Vtop> top;
    std::deque<Beat> samples;
    std::deque<Beat> parameters;
    std::deque<int32_t> dumped;
    std::deque<int> classes;
};

[[noreturn]] void fail(const char* what, uint32_t address) {
    std::fprintf(stderr, "edge_bus: %s at address 0x%03x\n", what, address);
    std::exit(1);
}

// A lane of a stream, in a port of any width
template <typename Port>
void put(Port& port, unsigned low, unsigned bits, uint32_t value) {
    const Port mask = static_cast<Port>((1ull << bits) - 1) << low;
    port = static_cast<Port>((port & ~mask) | (static_cast<Port>(value) << low & mask));
}

template <std::size_t words>
void put(VlWide<words>& port, unsigned low, unsigned bits, uint32_t value) {
    put(port[low / 32], low % 32, bits, value);
}

// One clock: offers what the queues hold, takes what the engine gives
void tick(Bus& bus) {
    Vtop& top = *bus.top;
    top.s_axis_tvalid = !bus.samples.empty();
    if (top.s_axis_tvalid) {
        const Beat& beat = bus.samples.front();
        for (unsigned lane = 0; lane < beat.lanes.size(); ++lane) {
            put(top.s_axis_tdata, lane * LANE_BITS, LANE_BITS, beat.lanes[lane]);
        }
        top.s_axis_tlast = beat.last;
        top.s_axis_tuser = beat.label;
    }
    top.s_axis_param_tvalid = !bus.parameters.empty();
    if (top.s_axis_param_tvalid) {
        top.s_axis_param_tdata = bus.parameters.front().lanes.front();
        top.s_axis_param_tlast = bus.parameters.front().last;
    }
    top.m_axis_tready = 1;
    top.m_axis_param_tready = 1;
    top.clk = 0;
    top.eval();
    if (top.s_axis_tvalid && top.s_axis_tready) bus.samples.pop_front();
    if (top.s_axis_param_tvalid && top.s_axis_param_tready) bus.parameters.pop_front();
    if (top.m_axis_tvalid && top.m_axis_tlast) bus.classes.push_back(top.m_axis_tuser & 0xffff);
    if (top.m_axis_param_tvalid) bus.dumped.push_back(static_cast<int32_t>(top.m_axis_param_tdata));
    top.clk = 1;
    top.eval();
}

}  // namespace

void* edge_bus_open() {
    auto* bus = new Bus;
    bus->top = std::make_unique<Vtop>(&bus->context);
    bus->top->rst = 1;
    for (int i = 0; i < 4; ++i) tick(*bus);
    bus->top->rst = 0;
    return bus;
}

void edge_bus_close(void* handle) {
    auto* bus = static_cast<Bus*>(handle);
    bus->top->final();
    delete bus;
}

void edge_bus_write(void* handle, uint32_t address, uint32_t value) {
    auto& bus = *static_cast<Bus*>(handle);
    Vtop& top = *bus.top;
    top.s_axil_awaddr = address;
    top.s_axil_wdata = value;
    top.s_axil_wstrb = 0xf;
    top.s_axil_awvalid = top.s_axil_wvalid = top.s_axil_bready = 1;
    for (int clocks = 0; clocks < PATIENCE; ++clocks) {
        top.clk = 0;
        top.eval();
        const bool address_taken = top.s_axil_awvalid && top.s_axil_awready;
        const bool data_taken = top.s_axil_wvalid && top.s_axil_wready;
        const bool answered = top.s_axil_bvalid;
        const unsigned answer = top.s_axil_bresp;
        tick(bus);
        if (address_taken) top.s_axil_awvalid = 0;
        if (data_taken) top.s_axil_wvalid = 0;
        if (answered) {
            if (answer != 0) fail("the write was refused", address);
            return;
        }
    }
    fail("no answer to the write", address);
}

uint32_t edge_bus_read(void* handle, uint32_t address) {
    auto& bus = *static_cast<Bus*>(handle);
    Vtop& top = *bus.top;
    top.s_axil_araddr = address;
    top.s_axil_arvalid = top.s_axil_rready = 1;
    for (int clocks = 0; clocks < PATIENCE; ++clocks) {
        top.clk = 0;
        top.eval();
        const bool address_taken = top.s_axil_arvalid && top.s_axil_arready;
        const bool answered = top.s_axil_rvalid;
        const unsigned answer = top.s_axil_rresp;
        const uint32_t value = top.s_axil_rdata;
        tick(bus);
        if (address_taken) top.s_axil_arvalid = 0;
        if (answered) {
            if (answer != 0) fail("the read was refused", address);
            return value;
        }
    }
    fail("no answer to the read", address);
}

void edge_bus_send_parameters(void* handle, const int32_t* words, size_t count) {
    auto& bus = *static_cast<Bus*>(handle);
    for (size_t i = 0; i < count; ++i) {
        bus.parameters.push_back({{static_cast<uint32_t>(words[i])}, i + 1 == count, 0});
    }
}

size_t edge_bus_take_parameters(void* handle, int32_t* words, size_t count) {
    auto& bus = *static_cast<Bus*>(handle);
    size_t taken = 0;
    for (; taken < count && !bus.dumped.empty(); ++taken) {
        words[taken] = bus.dumped.front();
        bus.dumped.pop_front();
    }
    return taken;
}

void edge_bus_send_sample(void* handle, const int32_t* activations, size_t count, uint16_t label) {
    auto& bus = *static_cast<Bus*>(handle);
    for (size_t i = 0; i < count; i += LANES) {
        Beat beat{{}, i + LANES >= count, label};
        for (size_t lane = i; lane < i + LANES && lane < count; ++lane) {
            beat.lanes.push_back(static_cast<uint32_t>(activations[lane]));
        }
        bus.samples.push_back(beat);
    }
}

int edge_bus_take_class(void* handle) {
    auto& bus = *static_cast<Bus*>(handle);
    if (bus.classes.empty()) return -1;
    const int found = bus.classes.front();
    bus.classes.pop_front();
    return found;
}
