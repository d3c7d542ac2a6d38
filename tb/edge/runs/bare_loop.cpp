// SPDX-License-Identifier: Apache-2.0
//
// The bare C++ loop around train_harness, for comparison with the simulation under cocotb.
//
// Reads "op address data" per line (decimal) from commands.txt, plays them on the command port, and prints
// "op address answer response clocks seconds processor_seconds" after each: clocks since reset, seconds since start.

#include <chrono>
#include <cstdio>
#include <ctime>
#include <memory>

#include "Vtop.h"
#include "verilated.h"

namespace {

using Clock = std::chrono::steady_clock;

void tick(Vtop& top) {
    top.clk = 0;
    top.eval();
    top.clk = 1;
    top.eval();
}

}  // namespace

int main(int argc, char** argv) {
    auto context = std::make_unique<VerilatedContext>();
    context->commandArgs(argc, argv);
    auto top = std::make_unique<Vtop>(context.get());
    top->cmd_req = 0;
    top->rst = 1;
    for (int i = 0; i < 4; ++i) tick(*top);
    top->rst = 0;
    tick(*top);

    FILE* commands = std::fopen("commands.txt", "r");
    if (commands == nullptr) {
        std::perror("commands.txt");
        return 1;
    }
    const auto start = Clock::now();
    unsigned op, address, data;
    while (!context->gotFinish() && std::fscanf(commands, "%u %u %u", &op, &address, &data) == 3) {
        top->cmd_op = op;
        top->cmd_addr = address;
        top->cmd_data = data;
        top->cmd_req = !top->cmd_req;
        do {
            tick(*top);
        } while (top->cmd_ack != top->cmd_req && !context->gotFinish());
        const std::chrono::duration<double> seconds = Clock::now() - start;
        const double processor = double(std::clock()) / CLOCKS_PER_SEC;
        std::printf("%u %u %u %u %u %.6f %.6f\n", op, address, top->cmd_answer, top->cmd_resp, top->now,
                    seconds.count(), processor);
    }
    std::fclose(commands);
    top->final();
    return context->gotFinish() ? 1 : 0;
}
