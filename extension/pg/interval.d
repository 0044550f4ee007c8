extension/pg/interval.o: extension/pg/interval.c extension/pg/binding.h \
 extension/pg/../core/outcome.h \
 extension/pg/../core/series/interval_energy.h \
 extension/pg/../core/series/../outcome.h \
 extension/pg/../core/series/slot_means.h
extension/pg/binding.h:
extension/pg/../core/outcome.h:
extension/pg/../core/series/interval_energy.h:
extension/pg/../core/series/../outcome.h:
extension/pg/../core/series/slot_means.h:
