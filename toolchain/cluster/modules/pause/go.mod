module clawstack.test/toolchain/cluster/pause

go 1.21
