extension/pg/area.o: extension/pg/area.c extension/pg/home.h \
 extension/pg/binding.h extension/pg/../core/outcome.h \
 extension/pg/../core/forecast/price.h \
 extension/pg/../core/series/slot_means.h
extension/pg/home.h:
extension/pg/binding.h:
extension/pg/../core/outcome.h:
extension/pg/../core/forecast/price.h:
extension/pg/../core/series/slot_means.h:
