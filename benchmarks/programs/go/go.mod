module plugsvc.invalid/benchmarks

go 1.21

require (
	github.com/chaitin/libveinmind v1.5.6
	github.com/spf13/pflag v1.0.5
)

require (
	github.com/sirupsen/logrus v1.8.1 // indirect
	golang.org/x/sync v0.0.0-20220722155255-886fb9371eb4 // indirect
	golang.org/x/sys v0.0.0-20220722155257-8c9f86f7a55f // indirect
	golang.org/x/xerrors v0.0.0-20200804184101-5ec99f83aff1 // indirect
)
