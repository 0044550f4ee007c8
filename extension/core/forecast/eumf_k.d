extension/core/forecast/eumf_k.o: extension/core/forecast/eumf_k.c \
 extension/core/forecast/eumf_k.h extension/core/forecast/../outcome.h
extension/core/forecast/eumf_k.h:
extension/core/forecast/../outcome.h:
