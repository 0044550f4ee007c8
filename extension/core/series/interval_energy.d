extension/core/series/interval_energy.o: \
 extension/core/series/interval_energy.c \
 extension/core/series/interval_energy.h \
 extension/core/series/../outcome.h
extension/core/series/interval_energy.h:
extension/core/series/../outcome.h:
